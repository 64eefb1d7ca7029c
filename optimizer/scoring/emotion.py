"""``emotion:calm``: how near a song comes to where listeners place an emotion in the plane of valence and arousal.

The score is ``10 * max(0, 1 - distance / reach)``: distance is Euclidean between what two trained heads hear and the
emotion's reference, in the corpus's own unit, and reach is half the diagonal of the square the corpus rates in. So 10
is the reference itself, and 0 is half a diagonal or more away.

``optimize train --target valence,arousal`` writes the folder: a trained head ``valence``, another ``arousal``, and
``emotion.json`` with references and scale. ``--head DIR`` names it; without, the folder ``emotion`` among the user's
heads is taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.checkpoints import weights_hash
from optimizer.errors import CheckpointError, UsageError, did_you_mean
from optimizer.scoring import heads
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ear import MertEar, Unheard, describe_ear
from optimizer.scoring.published import heads_folder

AXES = ("valence", "arousal")
CONFIG = "emotion.json"


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the scorer of one emotion.

    Parameters
    ----------
    argument : str
        An emotion the corpus has a reference for.
    options : mapping
        ``head``: the trained folder; otherwise as `optimizer.scoring.prepare`.

    Raises
    ------
    UsageError
        If no emotion is named, or it has no reference.
    CheckpointError
        If no emotion head is there, or it was trained on another encoder.
    """
    given = options.get("head")
    folder = (Path(str(given)).expanduser() if given else heads_folder() / "emotion").absolute()
    document = _read(folder)
    references = {str(name).casefold(): point for name, point in document["references"].items()}
    legal = ", ".join(sorted(references))
    if argument is None:
        raise UsageError(f"scorer 'emotion' needs an emotion: write emotion:NAME, one of {legal}.")
    wanted = argument.casefold()
    if wanted not in references:
        raise UsageError(f"emotion {argument!r} must be one of {legal}.{did_you_mean(wanted, references)}")
    configs = {axis: heads.read_config(folder / axis) for axis in AXES}
    encoders = {config["encoder"] for config in configs.values()}
    if len(encoders) != 1:
        raise CheckpointError(f"{folder}: valence and arousal were trained on different encoders ({encoders}).")
    (encoder,) = encoders
    first = configs["valence"]
    low, high = document["scale"]
    config: dict[str, Any] = {
        "name": f"emotion:{wanted}",
        "heads": {axis: str(folder / axis) for axis in AXES},
        "units": {axis: configs[axis].get("units", {"offset": 0.0, "scale": 1.0}) for axis in AXES},
        "reference": [float(x) for x in references[wanted]],
        "reach": math.sqrt(2) * (high - low) / 2,
    }
    files = [f"{axis}/{name}" for axis in AXES for name in (heads.CONFIG, heads.WEIGHTS)]
    identity = {"name": config["name"], "encoder": encoder}
    identity["revision"] = f"sha256:{weights_hash(folder, (CONFIG, *files))[:16]}"
    if str(encoder).startswith("acoustic-"):
        return ScorerSpec(
            text=f"emotion:{argument}", identity={**identity, "window": "first"}, config=config,
            target="optimizer.scoring.emotion:EmotionScorer", read_paths=(folder,), encoder=str(encoder),
        )  # fmt: skip
    ear = describe_ear(options, layers=first.get("layers", [-1]), spread=bool(first.get("spread", False)))
    if encoder != ear.encoder:
        raise CheckpointError(
            f"the emotion head was trained on {encoder}; the encoder here is {ear.encoder}.",
            next_step="Name the encoder it was trained on with --encoder, or train it again on this one.",
        )
    return ScorerSpec(
        text=f"emotion:{argument}",
        identity={**identity, "window": ear.window, "dtype": ear.dtype},
        target="optimizer.scoring.emotion:EmotionScorer",
        config={**config, "ear": dict(ear.config)},
        read_paths=tuple(dict.fromkeys([*ear.read_paths, folder, folder.resolve()])),
        device=ear.device.partition(":")[0],
        encoder=ear.key,
    )


class EmotionScorer:
    """A `Scorer` of one emotion."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load both heads, and the encoder."""
        from optimizer.scoring.acoustic import AcousticScorer

        self._config = config
        self._heads = {axis: heads.open_head(Path(config["heads"][axis])) for axis in AXES}
        self._mert = MertEar(config["ear"]) if "ear" in config else None
        self._acoustic = AcousticScorer()
        return self._mert.open() if self._mert is not None else self._acoustic.load({})

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; parts are what was heard: ``valence``, ``arousal`` and their ``distance``."""
        if self._mert is None:
            found = self._acoustic.score(paths)
            return [one if "error" in one else self._verdict(np.asarray(one["embedding"])) for one in found]
        return [
            {"error": heard.reason} if isinstance(heard, Unheard) else self._verdict(np.atleast_2d(heard)[0])
            for heard in self._mert.hear(paths)
        ]

    def _verdict(self, embedding: np.ndarray) -> dict[str, Any]:
        units = self._config["units"]
        point = [
            units[axis]["offset"] + units[axis]["scale"] * float(self._heads[axis].raw(embedding).mean())
            for axis in AXES
        ]
        distance = math.dist(point, self._config["reference"])
        value = 10.0 * max(0.0, 1.0 - distance / self._config["reach"])
        parts = {self._config["name"]: value, "valence": point[0], "arousal": point[1], "distance": distance}
        return {"value": value, "parts": parts, "embedding": [float(x) for x in embedding]}


def _read(folder: Path) -> dict[str, Any]:
    step = "Train one: optimize train --target valence,arousal --data DIR --out HEAD, then name it with --head HEAD"
    try:
        document = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        low, high = document["scale"]
        sound = high > low and all(len(point) == 2 for point in document["references"].values())
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no emotion head in {folder}: it has no {CONFIG}.", next_step=step) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}", next_step=step) from error
    if not sound:
        raise CheckpointError(f"{folder / CONFIG} must hold a rising scale and points of two numbers.", next_step=step)
    return dict(document)

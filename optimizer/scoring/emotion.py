"""``emotion:calm``: how near a song comes to where listeners place an emotion in the plane of valence and arousal.

The score is ``10 * max(0, 1 - distance / reach)``: distance is Euclidean between what two trained heads hear and the
emotion's reference, in the corpus's own unit, and reach is the diagonal of the square the corpus rates in. So 10 is
the reference itself, and wherever in the square a song is heard, nearer scores higher: a search is led from everywhere.

``optimize train --target valence,arousal`` writes the folder: a trained head ``valence``, another ``arousal``, and
``emotion.json`` with references and scale. ``emotion:DIR:calm`` or ``--head DIR`` names it; without, the folder
``emotion`` among the user's heads is taken, where ``optimize setup emotion DIR`` puts one. The heads judge an
embedding, as any trained head does, so a judge beside them on the same encoder costs nothing, and a song whose
embedding is known is not heard again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.checkpoints import weights_hash
from optimizer.errors import CheckpointError, UsageError, did_you_mean
from optimizer.scoring import heads
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ears import ear_of
from optimizer.scoring.listener import listener_spec
from optimizer.scoring.plane import AXES, KIND, open_plane
from optimizer.scoring.published import heads_folder

CONFIG = "emotion.json"
FILES = (CONFIG, *(f"{axis}/{name}" for axis in AXES for name in (heads.CONFIG, heads.WEIGHTS)))
"""What such a folder is made of; its cards are for people."""


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the scorer of one emotion.

    Parameters
    ----------
    argument : str
        An emotion the corpus has a reference for, ``calm``; or ``DIR:calm`` with the trained folder before it.
    options : mapping
        ``head``: the trained folder; otherwise as `optimizer.scoring.prepare`.

    Raises
    ------
    UsageError
        If no emotion is named, or it has no reference.
    CheckpointError
        If no emotion head is there, or it was trained on another encoder.
    """
    place, _, emotion = (argument or "").rpartition(":")
    given = place or options.get("head")
    folder = (Path(str(given)).expanduser() if given else heads_folder() / "emotion").absolute()
    document = _read(folder)
    references = {str(name).casefold(): point for name, point in document["references"].items()}
    legal = ", ".join(sorted(references))
    if not emotion:
        raise UsageError(f"scorer 'emotion' needs an emotion: write emotion:NAME, one of {legal}.")
    wanted = emotion.casefold()
    if wanted not in references:
        raise UsageError(f"emotion {emotion!r} must be one of {legal}.{did_you_mean(wanted, references)}")
    configs = _axes(folder)
    low, high = document["scale"]
    return listener_spec(
        f"emotion:{argument}",
        f"emotion:{wanted}",
        f"sha256:{weights_hash(folder, FILES)[:16]}",
        folder,
        ear_of(configs["valence"], options, f"the emotion head {folder.name}"),
        {
            "kind": KIND,
            "point": [float(x) for x in references[wanted]],
            "reach": math.sqrt(2) * (float(high) - float(low)),
        },
    )


def verify(folder: Path) -> str:
    """Read an emotion folder as its scorer would, whether its encoder is here or not; return the heads' licence.

    Raises
    ------
    CheckpointError
        If it cannot judge.
    """
    document = _read(folder)
    configs = _axes(folder)
    for point in document["references"].values():
        open_plane(folder, {"point": point, "reach": 1.0})
        break
    licence = configs["valence"].get("licence")
    return str(licence) if heads.is_name(licence) else "not known"


def _axes(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the two heads say of themselves."""
    configs = {axis: heads.read_config(folder / axis) for axis in AXES}
    spaces = {axis: _space(config) for axis, config in configs.items()}
    if spaces["valence"] != spaces["arousal"]:
        raise CheckpointError(
            f"{folder}: valence and arousal were trained on different embeddings ({spaces['valence']}, "
            f"{spaces['arousal']}).",
            next_step="Train both at once: optimize train --target valence,arousal --data DIR --out HEAD",
        )
    return configs


def _space(config: Mapping[str, Any]) -> tuple[Any, ...]:
    return config["encoder"], tuple(config.get("layers", [-1])), bool(config.get("spread", False))


def _read(folder: Path) -> dict[str, Any]:
    step = (
        "Train one: optimize train --target valence,arousal --data DIR --out HEAD; then install it: "
        "optimize setup emotion HEAD, or name it with --head HEAD"
    )
    try:
        document = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        low, high = map(float, document["scale"])
        points = [[float(x) for x in point] for point in document["references"].values()]
        sound = (
            math.isfinite(high - low)
            and high > low
            and bool(points)
            and all(map(heads.is_name, document["references"]))
        )
        sound = sound and all(len(point) == 2 and all(map(math.isfinite, point)) for point in points)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no emotion head in {folder}: it has no {CONFIG}.", next_step=step) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}", next_step=step) from error
    if not sound:
        raise CheckpointError(
            f"{folder / CONFIG} must hold a rising scale and points of two numbers, each under {heads.A_NAME}.",
            next_step=step,
        )
    return dict(document)

"""Audiobox Aesthetics: four judgements of production and enjoyment that people gave, each from 1 to 10.

``audiobox`` takes PQ, production quality, as the value: it hears artefacts, noise and bad mixing. ``audiobox:CE``
(content enjoyment), ``audiobox:CU`` (usefulness) and ``audiobox:PC`` (complexity) take another axis; all four are among
the parts. The model is facebook/audiobox-aesthetics (104 M weights, CC BY 4.0). Only the package's model module is
used: the rest of it needs torchaudio, whose wheels do not fit every torch.

As in the authors' program, pieces of 10 s are judged apart, a shorter last one padded and masked, and averaged by
length. They resample with torchaudio, we with soxr; the scores differ by less than the axes' own noise.

References
----------
.. [1] Tjandra et al., "Meta Audiobox Aesthetics: Unified Automatic Quality Assessment for Speech, Music, and Sound",
   arXiv:2502.05139.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.checkpoints import local_or_snapshot, weights_hash
from optimizer.errors import AttemptFailed, CheckpointError, UsageError, did_you_mean
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.device import pick_device, set_threads
from optimizer.scoring.mert_files import read_json, require_torch
from optimizer.scoring.packages import require_packages
from optimizer.scoring.tensors import check_keys, read_tensors
from optimizer.scoring.windows import check_window, hear

REPO = "facebook/audiobox-aesthetics"
FILES = ("config.json", "model.safetensors")
AXES = ("CE", "CU", "PC", "PQ")
RATE = 16_000
PIECE = 10 * RATE

# pip would fetch torchaudio along with it, which is neither needed nor always installable.
INSTALL = "Install it with: pip install --no-deps audiobox-aesthetics"
_SETUP = "Fetch it with: optimize setup audiobox"


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the Audiobox scorer.

    Parameters
    ----------
    argument : str or None
        The axis taken as the value, one of `AXES`; PQ by default.
    options : mapping
        ``window``, ``device``, ``threads``; and ``audiobox``, a folder with the model.

    Raises
    ------
    UsageError
        If there is no such axis.
    CheckpointError
        If the model is not on this machine.
    """
    axis = argument or "PQ"
    if axis not in AXES:
        raise UsageError(f"audiobox axis {axis!r} must be one of {', '.join(AXES)}.{did_you_mean(axis, AXES)}")
    require_packages("torch")
    require_packages("audiobox_aesthetics", install=INSTALL)
    window = check_window(str(options.get("window", "first")))
    found = local_or_snapshot(str(options.get("audiobox", REPO)), files=FILES, mend="optimize setup audiobox")
    revision = found.commit or f"sha256:{weights_hash(found.folder, FILES)[:16]}"
    device = pick_device(str(options.get("device", "cpu")))
    return ScorerSpec(
        text="audiobox" if argument is None else f"audiobox:{axis}",
        identity={"name": "audiobox", "revision": revision, "axis": axis, "window": window},
        target="optimizer.scoring.audiobox:AudioboxScorer",
        config={
            "folder": str(found.folder),
            "axis": axis,
            "window": window,
            "device": device,
            "threads": options.get("threads"),
        },
        read_paths=found.read_paths,
        device=device.partition(":")[0],
        memory_limit=6 << 30,
    )


class AudioboxScorer:
    """A `Scorer` by Audiobox Aesthetics."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load the model, every tensor of it.

        Parameters
        ----------
        config : dict
            ``folder``, ``axis``, ``window``, ``device``, ``threads``.

        Raises
        ------
        CheckpointError
            If a file is damaged or does not fit.
        """
        self._torch = require_torch()
        threads = set_threads(config.get("threads"))
        self._axis, self._window = str(config["axis"]), str(config["window"])
        self._device = str(config["device"])
        self._model = _load(Path(config["folder"])).to(self._device).eval()
        return {"device": self._device, "threads": threads, "axis": self._axis, "window": self._window}

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; parts are the four axes."""
        return [self._judge(path) for path in paths]

    def _judge(self, path: Path) -> dict[str, Any]:
        try:
            clips = hear(path, RATE, self._window).clips
        except AttemptFailed as error:
            return {"error": error.message}
        samples = np.concatenate(clips)
        sums, total = dict.fromkeys(AXES, 0.0), 0.0
        # One piece at a time: a batch would round differently with its size.
        for start in range(0, len(samples), PIECE):
            piece = samples[start : start + PIECE]
            for axis, value in self._axes(piece).items():
                sums[axis] += value * len(piece)
            total += len(piece)
        axes = {axis: value / total for axis, value in sums.items()}
        if not all(np.isfinite(list(axes.values()))):
            return {"error": f"{path}: the model gave numbers that are not finite."}
        return {"value": float(np.clip(axes[self._axis], 0.0, 10.0)), "parts": axes}

    def _axes(self, piece: np.ndarray) -> dict[str, float]:
        torch = self._torch
        wave = np.zeros(PIECE, dtype=np.float32)
        wave[: len(piece)] = piece
        mask = np.arange(PIECE) < len(piece)
        batch = {
            "wav": torch.from_numpy(wave)[None, None].to(self._device),
            "mask": torch.from_numpy(mask)[None, None].to(self._device),
        }
        with torch.inference_mode(), warnings.catch_warnings():
            # Its attention mixes mask types, which torch means to drop; nothing the user can mend.
            warnings.simplefilter("ignore", UserWarning)
            output = self._model(batch)
        scale = self._model.target_transform
        return {axis: float(output[axis].float()) * scale[axis]["std"] + scale[axis]["mean"] for axis in AXES}


def _load(folder: Path) -> Any:
    config = read_json(folder / "config.json", _SETUP)
    try:
        with warnings.catch_warnings():
            # It builds on a weight_norm that torch means to drop, which is nothing the user can mend.
            warnings.simplefilter("ignore", FutureWarning)
            from audiobox_aesthetics.model.aes import AesMultiOutput

            model = AesMultiOutput(**config)
        scales = [model.target_transform[axis][word] for axis in AXES for word in ("mean", "std")]
        if not all(np.isfinite(scales)):
            raise ValueError("target_transform is not finite")
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder / 'config.json'} does not describe Audiobox Aesthetics: {error!r}", next_step=_SETUP
        ) from error
    path = folder / "model.safetensors"
    tensors = read_tensors(path, next_step=_SETUP)
    check_keys(path, tensors, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
    model.load_state_dict(tensors, strict=True)
    return model

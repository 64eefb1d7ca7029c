"""MERT, the music encoder: clips in, embeddings out, in batches that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optimizer.errors import CheckpointError, ScoreFailed
from optimizer.scoring.mert_files import load_model, read_preprocessor, require_torch

if TYPE_CHECKING:
    from torch import Tensor

Samples = npt.NDArray[np.float32]

SHORTEST = 400
"""Samples; the receptive field of the convolutions, below which there is not one frame."""


class Mert:
    """A loaded encoder.

    Parameters
    ----------
    folder : Path
        Holds ``config.json``, ``preprocessor_config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    dtype : {"float32", "bfloat16"}
        bfloat16 keeps the weights in float32 and lets torch compute matrix products and convolutions in half
        precision (autocast).
    attention : {"sdpa", "eager"}

    Attributes
    ----------
    sample_rate : int
        Hz, from the preprocessor file.
    normalise : bool
        Whether each clip is brought to mean 0 and variance 1, from the preprocessor file.
    width : int
        Length of an embedding; 1024 for MERT-v1-330M.
    depth : int
        Number of transformer layers; 24 for MERT-v1-330M.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, or does not fit the architecture to the last tensor.
    MissingPrerequisite
        If torch or transformers is not installed.
    """

    def __init__(self, folder: Path, *, device: str = "cpu", dtype: str = "float32", attention: str = "sdpa") -> None:
        folder = Path(folder)
        self.sample_rate, self.normalise = read_preprocessor(folder)
        self._torch = require_torch()
        self._model = load_model(folder, attention).to(device).eval().requires_grad_(False)
        self.width = int(self._model.config.hidden_size)
        self.depth = int(self._model.config.num_hidden_layers)
        self.device, self.dtype = device, dtype
        if dtype == "bfloat16":
            _keep_float32(self._torch, self._model.encoder.pos_conv_embed.conv, device)

    def embed(self, clips: Sequence[Samples], *, batch: int = 1) -> np.ndarray:
        """Average the last hidden state over time.

        Parameters
        ----------
        clips : sequence of float32 arrays [shape=(samples,)]
            Mono at `sample_rate`, full scale 1. Only clips of equal length share a batch and nothing is ever
            padded: the encoder's group normalisation runs over time, so padding would change every frame.
        batch : int
            Clips in one forward pass; more than 1 saves nothing on a CPU.

        Returns
        -------
        float32 array [shape=(clips, width)]

        Raises
        ------
        ScoreFailed
            ``scorer`` if a clip is too short or the model gives numbers that are not finite.
        """
        out = np.empty((len(clips), self.width), dtype=np.float32)
        for rows, states in self._run(clips, batch, ()):
            out[rows] = states[self.depth].mean(1).cpu().numpy()
        return out

    def layers(
        self, clips: Sequence[Samples], layers: Sequence[int], *, batch: int = 1, spread: bool = True
    ) -> np.ndarray:
        """Mean and standard deviation over time of chosen layers, for training heads.

        Parameters
        ----------
        clips : sequence of float32 arrays
            As in `embed`.
        layers : sequence of int
            0 is what enters the first transformer layer, `depth` the last hidden state (after the final layer
            norm); negative numbers count from the end, so -1 is what `embed` averages.
        batch : int
        spread : bool
            Whether the standard deviation follows the mean.

        Returns
        -------
        float32 array [shape=(clips, layers, 2 or 1, width)]

        Raises
        ------
        ScoreFailed
            As in `embed`.
        """
        wanted = resolve_layers(layers, self.depth)
        out = np.empty((len(clips), len(wanted), 2 if spread else 1, self.width), dtype=np.float32)
        for rows, states in self._run(clips, batch, wanted):
            for place, layer in enumerate(wanted):
                out[rows, place, 0] = states[layer].mean(1).cpu().numpy()
                if spread:
                    out[rows, place, 1] = states[layer].std(1, unbiased=False).cpu().numpy()
        return out

    def _run(
        self, clips: Sequence[Samples], batch: int, layers: Iterable[int]
    ) -> Iterable[tuple[list[int], dict[int, Tensor]]]:
        torch = self._torch
        by_length: dict[int, list[int]] = {}
        for row, clip in enumerate(clips):
            if len(clip) < SHORTEST:
                raise ScoreFailed(
                    f"{len(clip)} samples at {self.sample_rate} Hz are too short to judge: "
                    f"{SHORTEST / self.sample_rate:.3f} s is the least.",
                    reason="scorer",
                )
            by_length.setdefault(len(clip), []).append(row)
        for rows in by_length.values():
            for start in range(0, len(rows), batch):
                part = rows[start : start + batch]
                stacked = np.stack([self._prepare(clips[row]) for row in part])
                states: dict[int, Tensor] = {}
                with ExitStack() as stack:
                    stack.enter_context(torch.inference_mode())
                    for layer in layers:
                        if layer < self.depth:
                            stack.enter_context(_hooked(self._model.encoder.layers[layer], layer, states))
                    stack.enter_context(_exact(torch, self.device))
                    if self.dtype == "bfloat16":
                        stack.enter_context(torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16))
                    # Never hidden_states[-1]: since transformers 5.23 that is the state before the final norm.
                    last = self._model(torch.from_numpy(stacked).to(self.device)).last_hidden_state
                    states[self.depth] = last.float()
                    if not bool(torch.isfinite(last).all()):
                        raise ScoreFailed("the encoder gave numbers that are not finite.", reason="scorer")
                    yield part, states

    def _prepare(self, clip: Samples) -> Samples:
        """Do what ``Wav2Vec2FeatureExtractor`` does with one clip."""
        clip = np.asarray(clip, dtype=np.float32)
        if not self.normalise:
            return clip
        return np.asarray((clip - clip.mean()) / np.sqrt(clip.var() + 1e-7), dtype=np.float32)


def resolve_layers(layers: Sequence[int], depth: int) -> list[int]:
    """Turn layer numbers, negative ones from the end, into 0 to `depth`.

    Raises
    ------
    CheckpointError
        If there is no such layer.
    """
    resolved = [layer + depth + 1 if layer < 0 else layer for layer in layers]
    for asked, layer in zip(layers, resolved, strict=True):
        if not 0 <= layer <= depth:
            raise CheckpointError(f"layer {asked} is not there: this encoder has layers 0 to {depth}.")
    return resolved


class _hooked(AbstractContextManager[None]):
    """Note what enters a transformer layer while the context lasts."""

    def __init__(self, module: Any, layer: int, states: dict[int, Tensor]) -> None:
        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            states[layer] = (args[0] if args else kwargs["hidden_states"]).float()

        self._handle = module.register_forward_pre_hook(note, with_kwargs=True)

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def _keep_float32(torch: Any, conv: Any, device: str) -> None:
    """Take the positional convolution out of autocast.

    It is 2 % of the work, and oneDNN's bfloat16 kernel for grouped convolutions gives noise for groups of 8 channels
    (torch 2.13 on AVX512-BF16; the published 64 channels a group are right).
    """
    forward, kind = conv.forward, torch.device(device).type

    def in_float32(x: Any) -> Any:
        with torch.autocast(kind, enabled=False):
            return forward(x.float())

    conv.forward = in_float32


def _exact(torch: Any, device: str) -> AbstractContextManager[Any]:
    """Keep convolutions on CUDA in full float32; torch's default there is TF32, with ten bits of mantissa."""
    if not device.startswith("cuda"):
        return nullcontext()
    return torch.backends.cudnn.flags(allow_tf32=False, deterministic=True)  # type: ignore[no-any-return]

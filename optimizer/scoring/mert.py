"""MERT, the music encoder: its published weights in transformers' own Hubert classes, without remote code.

The remote code differs from `HubertModel` only in options that MERT-v1-330M does not use, and it breaks on several
releases of transformers; the translation here gives the same numbers on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optimizer.errors import CheckpointError, MissingPrerequisite, ScoreFailed
from optimizer.scoring.tensors import check_keys, read_tensors

if TYPE_CHECKING:
    from torch import Tensor

Samples = npt.NDArray[np.float32]

REPO = "m-a-p/MERT-v1-330M"
REVISION = "0e06c986db0527c0fd1b47181c40f006805e3de0"
"""The commit of the Hub repository whose weights are meant; only the three files below are needed of its 5 GB."""

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of the weights in order of preference; the Hub's main branch has the second."""

HUB_FILES = (CONFIG, PREPROCESSOR, "pytorch_model.bin")

SHORTEST = 400
"""Samples; the receptive field of the convolutions, below which there is not one frame."""

_SETUP = "Fetch them with: optimize setup mert; or name a folder that has them: --encoder DIR"

_CONV = "encoder.pos_conv_embed.conv."
_OLD_NAMES = {
    _CONV + "weight_g": _CONV + "parametrizations.weight.original0",
    _CONV + "weight_v": _CONV + "parametrizations.weight.original1",
}
"""Weight normalisation was renamed in torch 2.0; published files have the old names."""

# Words in config.json that describe the file or are never read, not the architecture.
_NOT_ARCHITECTURE = {
    "model_type", "architectures", "auto_map", "_name_or_path", "transformers_version", "torch_dtype", "dtype",
}  # fmt: skip


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


def read_preprocessor(folder: Path) -> tuple[int, bool]:
    """Read (sampling rate in Hz, whether clips are normalised) from the checkpoint's own preprocessor file.

    The published checkpoints differ in ``do_normalize``, so it has no default here.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or lacks either word.
    """
    values = read_json(folder / PREPROCESSOR, _SETUP)
    try:
        rate, normalise = int(values["sampling_rate"]), values["do_normalize"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder / PREPROCESSOR} must give sampling_rate (Hz) and do_normalize (true or false): {error!r}.",
            next_step=_SETUP,
        ) from error
    if not isinstance(normalise, bool) or not 8_000 <= rate <= 192_000:
        raise CheckpointError(
            f"{folder / PREPROCESSOR}: sampling_rate {rate!r} must lie in 8000 to 192000 Hz, and do_normalize "
            f"{normalise!r} must be true or false.",
            next_step=_SETUP,
        )
    return rate, normalise


def read_config(folder: Path) -> dict[str, Any]:
    """Read the checkpoint's ``config.json`` and refuse variants that the Hubert classes cannot express.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of another architecture.
    """
    raw = read_json(folder / CONFIG, _SETUP)
    kind = raw.get("model_type")
    if kind not in ("mert_model", "hubert", None):
        raise CheckpointError(f"{folder / CONFIG}: model_type {kind!r} is not MERT (mert_model).", next_step=_SETUP)
    for word in ("deepnorm", "feature_extractor_cqt"):
        if raw.get(word):
            raise CheckpointError(
                f"{folder / CONFIG}: {word}={raw[word]!r} is a MERT variant that is not supported; {REPO} has false.",
                next_step=_SETUP,
            )
    return raw


def load_model(folder: Path, attention: str = "sdpa") -> Any:
    """Build the encoder and fill every tensor from the checkpoint.

    Returns
    -------
    transformers.HubertModel
        In float32 on the CPU.

    Raises
    ------
    CheckpointError
        If a tensor is missing, left over, of another shape, or did not arrive.
    """
    torch = require_torch()
    from transformers import HubertConfig, HubertModel

    raw = read_config(folder)
    path = find_weights(folder)
    known = set(HubertConfig().to_dict()) - _NOT_ARCHITECTURE
    try:
        config = HubertConfig(**{word: value for word, value in raw.items() if word in known})
        config.conv_pos_batch_norm = False
        config._attn_implementation = attention
        # On meta nothing is allocated and nothing is initialised, so nothing random can survive.
        with torch.device("meta"):
            model = HubertModel(config)
    except Exception as error:  # transformers and torch each have their own ways to refuse a size
        raise CheckpointError(
            f"{folder / CONFIG} does not describe an encoder: {error.__cause__ or error}", next_step=_SETUP
        ) from error
    tensors = canonical_names(read_tensors(path, next_step=_SETUP))
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    check_keys(path, tensors, expected, original=_originals(tensors))
    model.load_state_dict(tensors, strict=True, assign=True)
    _prove(model, tensors, path)
    return model


def find_weights(folder: Path) -> Path:
    """Return the weights file in a checkpoint folder.

    Raises
    ------
    CheckpointError
        If there is none; says so if a download was not finished.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    partial = [path.name for path in folder.glob("*.incomplete")] if folder.is_dir() else []
    state = f"only the unfinished {partial[0]}" if partial else "no weights"
    raise CheckpointError(f"{folder} has {state}: {' or '.join(WEIGHTS)} is needed.", next_step=_SETUP)


def canonical_names(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Give tensors the names of a bare `HubertModel` of today's torch: no prefix, new weight-norm names."""
    renamed: dict[str, Any] = {}
    for name, tensor in tensors.items():
        for prefix in ("module.", "mert_model.", "hubert."):
            name = name.removeprefix(prefix)
        renamed[_OLD_NAMES.get(name, name)] = tensor
    return renamed


def _originals(tensors: Mapping[str, Any]) -> dict[str, str]:
    """Map new weight-norm names to both spellings, for messages about a file that may have either."""
    return {new: f"{old} (or {new})" for old, new in _OLD_NAMES.items() if new not in tensors}


def _prove(model: Any, tensors: Mapping[str, Any], path: Path) -> None:
    """Check that no tensor was left empty and that the weight-normed convolution computes with the file's weights."""
    torch = require_torch()
    empty = [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if tensor.is_meta]
    if empty:
        raise CheckpointError(f"{path} left {empty[0]} without a value; {len(empty)} such tensors.", next_step=_SETUP)
    magnitude = tensors[_CONV + "parametrizations.weight.original0"]
    direction = tensors[_CONV + "parametrizations.weight.original1"]
    # One magnitude per tap of the kernel: torch.nn.utils.weight_norm(dim=2), Salimans and Kingma 2016, eq. 2.
    expected = direction * (magnitude / direction.norm(dim=(0, 1), keepdim=True))
    effective = model.encoder.pos_conv_embed.conv.weight.detach()
    if not torch.allclose(effective, expected, rtol=1e-4, atol=1e-6):
        raise CheckpointError(
            f"{path}: the positional convolution does not compute with the file's weight_g and weight_v.",
            next_step="This torch or transformers handles weight normalisation differently; please report it.",
        )


def require_torch() -> Any:
    """Import torch and check that transformers is there.

    Raises
    ------
    MissingPrerequisite
        If either is not installed.
    """
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingPrerequisite(
            f"this scorer needs torch and transformers: {error}.",
            next_step="Install them with: pip install 'banger-optimizer[models]'",
        ) from error
    return torch


def read_json(path: Path, next_step: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CheckpointError
        If the file is missing or is not a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is not there.", next_step=next_step) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or half-downloaded: {error}.", next_step=next_step) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must hold a JSON object, not {type(values).__name__}.", next_step=next_step)
    return values


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

"""MERT's published files: read without remote code into transformers' own Hubert classes, every tensor accounted for.

The remote code differs from `HubertModel` only in options that MERT-v1-330M does not use, and it breaks on several
releases of transformers; the translation here gives the same numbers on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.errors import CheckpointError, MissingPrerequisite
from optimizer.foreign import hide_torchaudio
from optimizer.scoring.tensors import check_keys, read_tensors

REPO = "m-a-p/MERT-v1-330M"
REVISION = "0e06c986db0527c0fd1b47181c40f006805e3de0"
"""The commit of the Hub repository whose weights are meant; only the three files below are needed of its 5 GB."""

PINNED = f"{REPO}@{REVISION}"
"""What `optimizer.scoring.ear.EarSpec.encoder` is with these weights."""

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of the weights in order of preference; the Hub's main branch has the second."""

HUB_FILES = (CONFIG, PREPROCESSOR, "pytorch_model.bin")

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
    hide_torchaudio()
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

        hide_torchaudio()
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
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or half-downloaded: {error}.", next_step=next_step) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must hold a JSON object, not {type(values).__name__}.", next_step=next_step)
    return values

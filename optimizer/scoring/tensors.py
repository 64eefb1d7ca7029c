"""Weights files: read tensors and nothing but tensors, and compare their names and shapes with what a model needs."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from optimizer.errors import CheckpointError

_LFS = b"version https://git-lfs"


def read_tensors(path: Path, *, next_step: str | None = None) -> dict[str, Any]:
    """Read a ``.safetensors`` file or a pickled state dict.

    A pickle is read with ``weights_only=True``: a file that asks for anything but tensors is refused, not run.

    Returns
    -------
    dict of str to torch.Tensor
        On the CPU, memory-mapped where the format allows it.

    Raises
    ------
    CheckpointError
        If the file is missing, empty, a Git LFS pointer, cut short, or holds something else.
    """
    import pickle

    import torch

    try:
        with path.open("rb") as stream:
            start = stream.read(len(_LFS))
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", next_step=next_step) from error
    if not start:
        raise CheckpointError(f"{path} is empty: the download was cut off.", next_step=next_step)
    if start == _LFS:
        raise CheckpointError(
            f"{path} is a Git LFS pointer, not the weights themselves.", next_step="Run: git lfs pull"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(str(path))
        else:
            found = _load_pickle(path)
    except pickle.UnpicklingError as error:
        # Torch's own message recommends to load the file without the safeguard; it must not reach the user.
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted:
            raise CheckpointError(
                f"{path} is refused: it holds more than tensors and would run {wanted[1]}.", next_step=next_step
            ) from error
        raise _damaged(path, size, "it does not read as tensors", next_step) from error
    except Exception as error:  # each format raises its own kinds, none of which callers know
        raise _damaged(path, size, _first_line(str(error)) or type(error).__name__, next_step) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found or not all(torch.is_tensor(value) for value in found.values()):
        raise CheckpointError(f"{path} is not a table of named tensors.", next_step=next_step)
    return dict(found)


def _load_pickle(path: Path) -> Any:
    import torch

    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    # Only the zip format can be memory-mapped; files older than torch 1.6 are not zips.
    with warnings.catch_warnings():
        # It warns of pickles of another protocol, and then says so again in its error.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def check_keys(
    path: Path,
    found: Mapping[str, Any],
    expected: Mapping[str, tuple[int, ...]],
    *,
    original: Mapping[str, str] | None = None,
    next_step: str | None = None,
) -> None:
    """Compare names and shapes exactly.

    Parameters
    ----------
    path : Path
        For the message.
    found : mapping of str to tensor
    expected : mapping of str to shape
    original : mapping of str to str, optional
        How a name is spelt in the message.
    next_step : str, optional

    Raises
    ------
    CheckpointError
        Naming what is missing, what is left over, and which shapes differ. A layer is never left random.
    """
    spelt = original or {}
    missing = [spelt.get(name, name) for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    shapes = [
        f"{name} is {tuple(found[name].shape)} and should be {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    problems = []
    if missing:
        problems.append(f"missing {_listed(missing)}")
    if extra:
        problems.append(f"unexpected {_listed(extra)}{_renamed(missing, extra)}")
    if shapes:
        problems.append(f"wrong shape: {_listed(shapes)}")
    if problems:
        raise CheckpointError(
            f"{path} does not fit the model: {'; '.join(problems)}.",
            next_step=next_step or "The file is of another model or was changed; fetch it again.",
        )


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:3]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _renamed(missing: list[str], extra: list[str]) -> str:
    """Say so when the one missing tensor seems to be the one left over."""
    if len(missing) == len(extra) == 1 and difflib.SequenceMatcher(None, missing[0], extra[0]).ratio() > 0.6:
        return f" (is {extra[0]} a renamed {missing[0]}?)"
    return ""


def _damaged(path: Path, size: int, why: str, next_step: str | None) -> CheckpointError:
    return CheckpointError(f"{path} ({size:,} bytes) is truncated or damaged: {why}.", next_step=next_step)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200].rstrip(".")

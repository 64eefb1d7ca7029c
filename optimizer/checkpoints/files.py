"""Which files of a model folder count, and whether they are whole: headers only, nothing is loaded."""

from __future__ import annotations

import fnmatch
import json
import struct
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

HEADER_LIMIT = 100 << 20
"""Longest safetensors header the format's own reader accepts, in bytes."""


def files_of(folder: Path, patterns: Iterable[str] = ("*",)) -> list[Path]:
    """Return the files under `folder` whose name or relative path matches a pattern, sorted; caches are left out."""
    wanted = tuple(patterns)
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] in (".cache", ".git", ".huggingface") or not path.is_file():
            continue
        if matches(relative.as_posix(), wanted):
            found.append(path)
    return found


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a relative path, or its last part, fits one of the patterns."""
    base = name.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(base, pattern) for pattern in patterns)


def verify(folder: Path, files: Sequence[str] = ()) -> list[str]:
    """Check a model folder's files without loading them; return what is wrong, one sentence each.

    Reads headers only: required patterns, half-downloaded files, the shards an index names, truncated
    safetensors (the header says how long the file must be), zipped checkpoints cut short, Git LFS pointers.
    """
    problems = []
    partial = list(folder.rglob("*.incomplete"))
    present = files_of(folder)
    names = [path.relative_to(folder).as_posix() for path in present]
    for pattern in files:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            problems.append(f"no file matches {pattern!r}")
    if partial and (problems or any(".cache" not in path.relative_to(folder).parts for path in partial)):
        problems.append(f"{len(partial)} file(s) are half-downloaded, such as {partial[0].name!r}")
    for path, name in zip(present, names, strict=True):
        problem = _flaw(path)
        if problem:
            problems.append(f"{name} {problem}")
        if name.endswith(".index.json") and not problem:
            problems += _missing_shards(path, name)
    return problems


def _flaw(path: Path) -> str | None:
    size = path.stat().st_size
    suffix = path.suffix
    if suffix not in (".safetensors", ".bin", ".pt", ".pth", ".json"):
        return None
    with path.open("rb") as file:
        head = file.read(64)
        if head.startswith(b"version https://git-lfs"):
            return "is a Git LFS pointer, not the file itself (git lfs pull fetches it)"
        if suffix == ".safetensors":
            return _safetensors_flaw(path, size)
    if size == 0:
        return "is empty"
    if suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            return f"is not JSON ({error})"
    elif head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"is cut short at {size} bytes"
    return None


def _safetensors_flaw(path: Path, size: int) -> str | None:
    """Compare a file's length with what its header announces; https://huggingface.co/docs/safetensors (Format)."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return f"is cut short at {size} bytes"
        (length,) = struct.unpack("<Q", start)
        if length > HEADER_LIMIT:
            return "is not a safetensors file: its header would be larger than the format allows"
        if 8 + length > size:
            return f"is cut short at {size} bytes, inside its header"
        try:
            header = json.loads(file.read(length))
            end = max((entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return "is not a safetensors file: its header cannot be read"
    expected = 8 + length + int(end)
    return None if size == expected else f"has {size} bytes where its header announces {expected}"


def _missing_shards(path: Path, name: str) -> list[str]:
    index = json.loads(path.read_text(encoding="utf-8"))
    weights = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weights, dict):
        return [f"{name} has no weight map"]
    return [
        f"{shard}, which {name} names, is not there"
        for shard in sorted({str(shard) for shard in weights.values()})
        if not (path.parent / shard).is_file()
    ]

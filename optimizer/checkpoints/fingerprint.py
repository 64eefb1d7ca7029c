"""A fingerprint of a model folder's content, quick to take again while nothing has changed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.checkpoints.files import files_of

WEIGHTS: tuple[str, ...] = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.json", "*.txt", "*.model", "*.jinja")
"""File patterns that decide what a model computes: weights, configurations and tokenizers."""

CHUNK = 4 << 20


def weights_hash(folder: Path, patterns: Iterable[str] = WEIGHTS) -> str:
    """Return the SHA-256 over names and contents of a folder's matching files, 64 hexadecimal digits.

    Hashes of single files are remembered under the user's cache by path, size and modification time, so that
    only the first start after a change reads gigabytes.
    """
    memory = _Memory.load()
    total = hashlib.sha256()
    paths = files_of(folder, patterns)
    # Hashing lets other threads run, and one core is slower than a good disk.
    with ThreadPoolExecutor(4) as pool:
        for path, digest in zip(paths, pool.map(memory.sha256, paths), strict=True):
            total.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    memory.save()
    return total.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(slots=True)
class _Memory:
    """File hashes of earlier starts, by path, size and modification time."""

    path: Path
    known: dict[str, list[Any]]
    changed: bool = False

    @classmethod
    def load(cls) -> _Memory:
        import platformdirs

        path = platformdirs.user_cache_path("banger-optimizer") / "hashes.json"
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        return cls(path, known if isinstance(known, dict) else {})

    def sha256(self, path: Path) -> str:
        target = path.resolve()
        state = target.stat()
        entry = self.known.get(str(target))
        if isinstance(entry, list) and entry[:2] == [state.st_size, state.st_mtime_ns]:
            return str(entry[2])
        digest = sha256_of(target)
        self.known[str(target)] = [state.st_size, state.st_mtime_ns, digest]
        self.changed = True
        return digest

    def save(self) -> None:
        if not self.changed:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix="hashes-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.known, file)
            Path(name).replace(self.path)
        except OSError:
            # A cache that cannot be written costs time, never a run.
            return

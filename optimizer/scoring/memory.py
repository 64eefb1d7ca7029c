"""An ear that asks the store first: what was heard once is not heard again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring.acoustic_ear import AcousticEar
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.ear import Embedding, MertEar, Unheard


class StoredEar:
    """An `Ear` over a store; the encoder is loaded only when a file is not in it.

    Parameters
    ----------
    ear : MertEar or AcousticEar
    key : str
        Identity of the embedding space.
    store : EmbeddingStore
    """

    def __init__(self, ear: MertEar | AcousticEar, key: str, store: EmbeddingStore) -> None:
        self._ear, self._key, self._store = ear, key, store
        self._refused: dict[str, tuple[Path, Unheard]] = {}

    @property
    def inner(self) -> MertEar | AcousticEar:
        """What hears the files that are not in the store."""
        return self._ear

    def open(self) -> dict[str, Any]:
        """Do nothing yet."""
        return {}

    def hear(self, paths: Sequence[Path]) -> list[Embedding]:
        """Return one embedding per file, from the store where it has it."""
        files: list[tuple[Path, str]] = []
        lost: dict[int, Unheard] = {}
        for row, path in enumerate(paths):
            try:
                files.append((path, self._store.digest(path)))
            except OSError as error:
                lost[row] = Unheard(f"{path} cannot be read: {error.strerror or error}.")
        heard = self.stream(files)
        return [lost[row] if row in lost else next(heard) for row in range(len(paths))]

    def stream(self, files: Sequence[tuple[Path, str]]) -> Iterator[Embedding]:
        """Yield the embeddings of (file, audio hash) pairs; each new one is in the store before it is yielded."""
        known = self._store.get_many([audio for _, audio in files], self._key)
        missing: dict[str, Path] = {}
        for path, audio in files:
            if audio not in known and audio not in self._refused:
                missing.setdefault(audio, path)
        fresh = zip(missing, self._ear.stream(list(missing.values())), strict=True)
        for path, audio in files:
            while audio not in known and audio not in self._refused:
                heard_audio, heard = next(fresh)
                if isinstance(heard, np.ndarray):
                    self._store.put(heard_audio, self._key, heard)
                    known[heard_audio] = heard
                else:
                    self._refused[heard_audio] = missing[heard_audio], heard
            if audio in known:
                yield known[audio]
            else:
                # Broken files of equal bytes, such as empty ones, are tried once; each is told by its own name.
                tried, refusal = self._refused[audio]
                yield Unheard(refusal.reason.replace(str(tried), str(path)))

"""Where a corpus's audio lies: files as they are, or rows of a Parquet file that become files for a moment."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optimizer.runs import storage_error
from optimizer.scoring.cache import EmbeddingStore
from optimizer.training.corpus import Corpus, leaves
from optimizer.training.packed import read_packed

UNPACKED = ".audio"


@dataclass(frozen=True, slots=True)
class Sound:
    """One row's audio.

    Attributes
    ----------
    row : int
        Of the corpus's table.
    path : Path
        Where it lies now; a packed row's file is gone with the next call.
    digest : str
        SHA-256 of its content; empty where there is none, `reason` then saying why.
    reason : str
    name : str
        What the table shall call it, where that is not known before; otherwise empty.
    """

    row: int
    path: Path
    digest: str
    reason: str = ""
    name: str = ""


def sounds(corpus: Corpus, work: Path, store: EmbeddingStore) -> Iterator[list[Sound]]:
    """Yield a corpus's audio: all files at once, or so many packed rows as fit in memory.

    Parameters
    ----------
    corpus : Corpus
    work : Path
        Folder in which packed audio lies while it is heard.
    store : EmbeddingStore
        Remembers the hashes of files.

    Raises
    ------
    StorageFull
        If packed audio does not fit on the disk.
    """
    if not corpus.packed:
        paths = [str(path) for path in corpus.table["path"]] if len(corpus.table) else []
        # A run knows what its songs were, even those whose audio is gone.
        known = corpus.table["sha256"].tolist() if corpus.kind == "study" else [""] * len(paths)
        yield [_of_file(row, Path(path), known[row], store) for row, path in enumerate(paths)]
        return
    folder = work / UNPACKED
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for packed in corpus.packed:
            for rows in read_packed(packed):
                yield [_of_row(row, content, path, corpus, packed.file.parent, folder, store)
                       for row, content, path in rows]  # fmt: skip
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _of_file(row: int, path: Path, known: str | None, store: EmbeddingStore) -> Sound:
    if known:
        return Sound(row, path if path.is_file() else Path(), known)
    try:
        return Sound(row, path, store.digest(path))
    except OSError as error:
        reason = (
            "it is a link to a file that is not there" if path.is_symlink() and not path.exists() else error.strerror
        )
        return Sound(row, path, "", f"cannot be read: {reason or error}")


def _of_row(
    row: int, content: Any, path: str | None, corpus: Corpus, beside: Path, folder: Path, store: EmbeddingStore
) -> Sound:
    if content is None:
        if not path:
            return Sound(row, Path(), "", "its row holds neither audio nor a path")
        file = Path(os.path.normpath((beside / path).absolute()))
        reason = leaves(file, corpus.folder)
        found = Sound(row, file, "", reason) if reason else _of_file(row, file, None, store)
        return replace(found, name=str(file))
    digest = hashlib.sha256(content).hexdigest()
    file = folder / digest
    try:
        folder.mkdir(exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise storage_error(error, file) from error
    return Sound(row, file, digest)

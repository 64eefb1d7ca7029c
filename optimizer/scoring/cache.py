"""What was heard is kept: embeddings and verdicts in one SQLite file, keyed by the audio's hash."""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
import stat
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from optimizer.errors import OptimizeError, StorageFull, UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (
    audio TEXT NOT NULL, encoder TEXT NOT NULL, shape TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (audio, encoder)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    audio TEXT NOT NULL, scorer TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (audio, scorer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL,
    audio TEXT NOT NULL) WITHOUT ROWID;
"""

_SETTLED = 2_000_000_000
"""Nanoseconds: a file changed more recently than this is hashed again, its time stamp being too coarse to tell."""


class EmbeddingStore:
    """Embeddings by (audio hash, encoder identity), verdicts by (audio hash, scorer identity).

    One writer and any number of readers, in threads or processes, may hold it at once (SQLite in WAL mode); each
    row is its own transaction, so that a killed process loses at most the song it was listening to.

    Parameters
    ----------
    path : Path
        The file; made, with its folder, if it is not there.

    Raises
    ------
    UsageError
        If `path` is a file of another kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(self.path, timeout=60.0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            # NORMAL in WAL mode survives a killed process; only a power cut may lose the last rows, never the file.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError):
                if full := self._full(error):
                    raise full from error
                raise OptimizeError(f"embedding cache {self.path} cannot be opened: {error}") from error
            raise UsageError(
                f"{self.path} is not an embedding cache: {error}", next_step="Remove it, or name another file."
            ) from error

    def put(self, audio: str, encoder: str, embedding: np.ndarray) -> None:
        """Keep an embedding.

        Parameters
        ----------
        audio : str
            SHA-256 of the audio file's bytes.
        encoder : str
            `ScorerSpec.encoder`.
        embedding : float array
            Stored as little-endian float32 with its shape.
        """
        array = np.ascontiguousarray(embedding, dtype="<f4")
        shape = json.dumps(array.shape)
        self._write("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", (audio, encoder, shape, array.tobytes()))

    def get(self, audio: str, encoder: str) -> np.ndarray | None:
        """Return a stored embedding as a float32 array, or None."""
        return self.get_many([audio], encoder).get(audio)

    def get_many(self, audios: Iterable[str], encoder: str) -> dict[str, np.ndarray]:
        """Return what is stored of many audio hashes under one encoder; the others are left out."""
        rows = self._select("SELECT audio, shape, data FROM embeddings WHERE encoder = ? AND audio", encoder, audios)
        return {
            audio: np.frombuffer(data, dtype="<f4").reshape(json.loads(shape)).astype(np.float32)
            for audio, shape, data in rows
        }

    def put_verdict(self, audio: str, scorer: str, verdict: Mapping[str, Any]) -> None:
        """Keep what a scorer said of an audio hash; `scorer` is `identity_key` of its identity."""
        text = json.dumps(verdict)
        self._write("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (audio, scorer, text))

    def get_verdicts(self, audios: Iterable[str], scorer: str) -> dict[str, dict[str, Any]]:
        """Return the stored verdicts of one scorer on many audio hashes; the others are left out."""
        rows = self._select("SELECT audio, data FROM verdicts WHERE scorer = ? AND audio", scorer, audios)
        return {audio: json.loads(data) for audio, data in rows}

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes, read again only if its size, time or inode changed.

        Raises
        ------
        OSError
            If the file cannot be read, or is a folder, a pipe or a device.
        """
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # A named pipe would be waited for.
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        name = str(path.absolute())
        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
        with self._lock:
            row = self._connection.execute(
                "SELECT size, mtime, inode, audio FROM files WHERE path = ?", (name,)
            ).fetchone()
        if row is not None and tuple(row[:3]) == stamp:
            return str(row[3])
        with path.open("rb") as stream:
            audio = hashlib.file_digest(stream, "sha256").hexdigest()
        if time.time_ns() - status.st_mtime_ns > _SETTLED:
            self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", (name, *stamp, audio))
        return audio

    def __len__(self) -> int:
        """Return how many embeddings are stored."""
        with self._lock:
            return int(self._connection.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        try:
            with self._lock:
                self._connection.execute(statement, row)
        except sqlite3.OperationalError as error:
            if full := self._full(error):
                raise full from error
            raise

    def _full(self, error: sqlite3.Error) -> StorageFull | None:
        """Return what to raise where SQLite says that the disk is full."""
        if error.sqlite_errorname != "SQLITE_FULL":
            return None
        return StorageFull(
            f"the disk is full: {self.path} could not be written.",
            next_step="Free some space and run the same command again; what was heard is kept.",
        )

    def _select(self, statement: str, key: str, audios: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = list(dict.fromkeys(audios))
        rows: list[tuple[Any, ...]] = []
        # SQLite allows 32,766 variables a statement; older builds 999.
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows += self._connection.execute(f"{statement} IN ({marks})", (key, *part)).fetchall()
        return rows


def identity_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an identity's canonical JSON: equal exactly when two scorers are comparable."""
    text = json.dumps(identity, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

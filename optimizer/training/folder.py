"""The folder of a result: held by one writer, and written so that a kill leaves the old head, the new or none."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import RunLocked, UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.heads import CONFIG, write_head
from optimizer.training.data import Data

WORK = ".training"
"""What is kept for a kill while a training goes on."""

SPACE = ("encoder", "window", "layers", "spread")


def make_folder(out: Path) -> None:
    """Make the folder of a result.

    Raises
    ------
    UsageError
        If it cannot be made: a file is there, or it may not be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file is there" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise UsageError(f"folder {out} cannot be made: {why}.", next_step="Name another with --out.") from error


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Make the folder of a result and hold it while this block writes there; it goes again where nothing was written.

    Raises
    ------
    UsageError
        As `make_folder`.
    RunLocked
        If another process holds it. The hold goes with its process, however that ends.
    """
    import fcntl

    new = not out.exists()
    make_folder(out)
    descriptor = os.open(out, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network folders cannot be held; to refuse them would help nobody.
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise RunLocked(
                    f"folder {out} is being written by another process.",
                    next_step="Wait for it, or name another folder with --out.",
                ) from error
        yield
    finally:
        os.close(descriptor)
        if new:
            with suppress(OSError):
                out.rmdir()


def space_of(data: Data) -> dict[str, Any]:
    """Return what a head's configuration says of the embedding it was trained on, and its licence."""
    known = {word: data.info[word] for word in SPACE if word in data.info}
    return {**known, "licence": data.info.get("licence", "unknown: see the encoder's")}


def finish(
    out: Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], card: Mapping[str, Any], text: str
) -> None:
    """Write head and card, and clear away what was kept for a kill.

    Parameters
    ----------
    out : Path
    config, tensors
        See `optimizer.scoring.heads.write_head`.
    card : mapping
        ``card.json``.
    text : str
        ``card.md``.
    """
    # Without its configuration the folder is no head: an earlier head never stands beside a later card.
    (out / CONFIG).unlink(missing_ok=True)
    write_atomic(out / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / "card.md", text.encode())
    write_head(out, config, tensors)
    clear(out)


def clear(out: Path) -> None:
    """Remove checkpoints, and files that a killed training had begun to write."""
    shutil.rmtree(out / WORK, ignore_errors=True)
    for pattern in (".*.tmp", ".*.partial"):
        for left in out.glob(pattern):
            left.unlink(missing_ok=True)

"""A trained folder: card, configuration and weights, written so that a kill leaves the old head, the new or none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
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

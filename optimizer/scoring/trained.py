"""A head of one's own as a scorer: the folder that ``optimize train`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.checkpoints import weights_hash
from optimizer.errors import UsageError
from optimizer.scoring import heads
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ears import ear_of
from optimizer.scoring.listener import listener_spec


def describe(argument: str | None, options: Mapping[str, Any], *, name: str | None = None) -> ScorerSpec:
    """Describe a trained head.

    Parameters
    ----------
    argument : str
        Its folder; see `optimizer.scoring.heads`.
    options : mapping
        See `optimizer.scoring.prepare`; ``head`` is not read.
    name : str, optional
        The part's name; otherwise the head's own, otherwise the folder's.

    Raises
    ------
    CheckpointError
        If the folder is no head, or the encoder is not the one it was trained on.
    """
    if not argument:
        raise UsageError("a trained head is named by its folder.")
    folder = Path(argument).expanduser().absolute()
    config = heads.read_config(folder)
    digest = weights_hash(folder, (heads.CONFIG, heads.WEIGHTS))
    label = name or str(config.get("name") or folder.resolve().name)
    revision = f"sha256:{digest[:16]}"
    return listener_spec(argument, label, revision, folder, ear_of(config, options, f"head {folder.name}"))

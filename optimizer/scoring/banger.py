"""The published banger scorer: a head on MERT that predicts how often FMA's listeners played a track, 0 to 10.

The head is ``scorer_model.pt`` of the Hub repository treadon/banger-scorer, 1024-512-256-128-1 with batch norms
(690,945 weights, 2.8 MB, Apache-2.0; the encoder below it is CC BY-NC 4.0). Its number is cut to 0 to 10, as its
authors do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ear import describe_ear
from optimizer.scoring.listener import listener_spec
from optimizer.scoring.published import Published, find_head, head_revision

HEAD = Published(
    name="banger",
    file="scorer_model.pt",
    repo="treadon/banger-scorer",
    licence="Apache-2.0 (with MERT: CC BY-NC 4.0)",
)

TARGET = {"kind": "clamp"}


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the banger scorer.

    Parameters
    ----------
    argument : str or None
        The head's file, ``banger:FILE``; otherwise `options` ``head``, otherwise what ``optimize setup banger``
        fetched.
    options : mapping
        See `optimizer.scoring.prepare`.

    Raises
    ------
    CheckpointError
        If the head or the encoder is not on this machine.
    """
    ear = describe_ear(options)
    path: Path = find_head(HEAD, argument or options.get("head"))
    return listener_spec("banger", "banger", head_revision(path), path, ear, TARGET)

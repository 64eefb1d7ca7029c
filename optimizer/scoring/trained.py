"""A head of one's own as a scorer: the folder that ``optimize train`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.checkpoints import weights_hash
from optimizer.errors import UsageError
from optimizer.scoring import emotion, heads
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.classes import class_of, read_classes
from optimizer.scoring.ears import ear_of
from optimizer.scoring.listener import listener_spec


def describe(
    argument: str | None, options: Mapping[str, Any], *, name: str | None = None, choice: str | None = None
) -> ScorerSpec:
    """Describe a trained head.

    Parameters
    ----------
    argument : str
        Its folder; see `optimizer.scoring.heads`.
    options : mapping
        See `optimizer.scoring.prepare`; ``head`` is not read.
    name : str, optional
        The part's name; otherwise the head's own, otherwise the folder's.
    choice : str, optional
        Of a classifier: the class whose probability is the score; without it see `optimizer.scoring.classes.class_of`.
        Of an emotion head: the emotion.

    Raises
    ------
    UsageError
        If a classifier's class is not named, and the study's genre is none of its classes.
    CheckpointError
        If the folder is no head, or the encoder is not the one it was trained on.
    """
    if not argument:
        raise UsageError("a trained head is named by its folder.")
    text = argument if choice is None else f"{argument}:{choice}"
    folder = Path(argument).expanduser().absolute()
    if (folder / emotion.CONFIG).is_file():
        own = {key: value for key, value in options.items() if key != "genres"}
        return emotion.describe(choice, {**own, "head": folder})
    config = heads.read_config(folder)
    digest = weights_hash(folder, (heads.CONFIG, heads.WEIGHTS))
    label = name or str(config.get("name") or folder.resolve().name)
    target = None
    if classes := read_classes(config, folder / heads.CONFIG):
        chosen = choice or class_of(classes, options.get("genres"), folder)
        target = {"kind": "softmax", "class": chosen}
        # A part of the score is called after each class; the whole must not be called the same.
        label = f"{label}:{chosen}" if chosen else f"{label}:*"
    revision = f"sha256:{digest[:16]}"
    return listener_spec(text, label, revision, folder, ear_of(config, options, f"head {folder.name}"), target)

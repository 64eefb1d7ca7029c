"""A head of one's own as a scorer: the folder that ``optimize train`` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.checkpoints import weights_hash
from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring import heads
from optimizer.scoring.acoustic import VERSION
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.ear import describe_ear
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
    here = f"acoustic-{VERSION}"
    if config["encoder"] == here:
        return ScorerSpec(
            text=argument,
            identity={"name": label, "revision": revision, "encoder": here, "window": "first"},
            target="optimizer.scoring.trained_acoustic:TrainedAcoustic",
            config={"name": label, "head": str(folder)},
            read_paths=tuple(dict.fromkeys([folder, folder.resolve()])),
            encoder=here,
        )
    ear = describe_ear(options, layers=config.get("layers", [-1]), spread=bool(config.get("spread", False)))
    if config["encoder"] != ear.encoder:
        raise CheckpointError(
            f"head {folder.name} was trained on {config['encoder']}; the encoder here is {ear.encoder}.",
            next_step="Name the encoder it was trained on with --encoder, or train it again on this one.",
        )
    return listener_spec(argument, label, revision, folder, ear)

"""Which ear: MERT's or the acoustic one, for a trained head and for what its description says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.errors import CheckpointError
from optimizer.scoring.acoustic_ear import NAME, AcousticEar, describe_acoustic_ear
from optimizer.scoring.ear import EarSpec, MertEar, describe_ear


def ear_of(config: Mapping[str, Any], options: Mapping[str, Any], what: str) -> EarSpec:
    """Describe the ear whose embeddings a trained head judges.

    Parameters
    ----------
    config : mapping
        Its ``head.json``.
    options : mapping
        See `optimizer.scoring.prepare`.
    what : str
        The head, for the message.

    Raises
    ------
    CheckpointError
        If the encoder is not the one it was trained on.
    """
    if config["encoder"] == NAME:
        return describe_acoustic_ear(options)
    ear = describe_ear(options, layers=config.get("layers", [-1]), spread=bool(config.get("spread", False)))
    if config["encoder"] != ear.encoder:
        raise CheckpointError(
            f"{what} was trained on {config['encoder']}; the encoder here is {ear.encoder}.",
            next_step="Name the encoder it was trained on with --encoder, or train it again on this one.",
        )
    return ear


def open_ear(config: Mapping[str, Any]) -> MertEar | AcousticEar:
    """Make the ear that an `EarSpec.config` describes; no model is loaded yet."""
    if config.get("kind") == "acoustic":
        return AcousticEar(int(config.get("jobs") or 1))
    return MertEar(config)

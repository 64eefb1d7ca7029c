"""Which ear: MERT's or the acoustic one, for a trained head and for what its description says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optimizer.errors import CheckpointError
from optimizer.scoring import mert_files
from optimizer.scoring.acoustic_ear import NAME, AcousticEar, describe_acoustic_ear
from optimizer.scoring.ear import EarSpec, MertEar, describe_ear

FOLDER = "mert@sha256:"
"""How the name of an encoder begins that is a folder; `optimizer.scoring.ear.describe_ear` gives it."""


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
        If the encoder is not the one it was trained on, or it is not here.
    """
    wanted = full_name(config["encoder"])
    if wanted == NAME:
        return describe_acoustic_ear(options)
    if options.get("encoder") is None and wanted != mert_files.PINNED:
        # Fetching the pinned one, as a missing encoder asks for elsewhere, would not help this head.
        raise CheckpointError(f"{what} was trained on {wanted}, and no encoder is named.", next_step=_way(wanted))
    ear = describe_ear(options, layers=config.get("layers", [-1]), spread=bool(config.get("spread", False)))
    if wanted != ear.encoder:
        raise CheckpointError(
            f"{what} was trained on {wanted}; the encoder here is {ear.encoder}.", next_step=_way(wanted)
        )
    return ear


def full_name(encoder: str) -> str:
    """Return an encoder's name with its commit: published corpora give MERT's without, and mean the pinned one."""
    return mert_files.PINNED if encoder == mert_files.REPO else encoder


def _way(encoder: str) -> str:
    """Say how an encoder is named on the command line."""
    if encoder == mert_files.PINNED:
        return "Leave --encoder out, after: optimize setup mert; or train it again on this one."
    if encoder.startswith(FOLDER):
        return (
            "Name the folder of that encoder (config.json, preprocessor_config.json and weights, unchanged): "
            "--encoder FOLDER; or train it again on another."
        )
    if "@" in encoder:
        return f"Name it: --encoder {encoder}; or train it again on another."
    return (
        "No encoder is called that: write the right one into embedding.json beside the embeddings, and train it again."
    )


def open_ear(config: Mapping[str, Any], others: Iterable[object] = ()) -> MertEar | AcousticEar:
    """Make the ear that an `EarSpec.config` describes; no model is loaded yet, and `others`' is shared if it can be."""
    if config.get("kind") == "acoustic":
        return AcousticEar(int(config.get("jobs") or 1))
    return MertEar(config, others)

"""What a scorer is: paths in, a value from 0 to 10 with its parts and embedding out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Scorer(Protocol):
    """A listener: constructed without arguments, in a child beside the renderer or in a command of its own."""

    def load(self, config: dict[str, Any]) -> dict[str, Any] | None:
        """Load the model; return what is worth recording (device, dtype, threads ...)."""

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files.

        Returns
        -------
        list of dict
            One per path, in order: ``{"value": float, "parts": {name: float}}`` and optionally
            ``"embedding"`` (list of floats), ``"embeddings"`` (lists of floats by encoder, where a panel heard with
            more than one), ``"curve"`` (score over time);
            or ``{"error": str}`` for a file that cannot be judged. Same audio, same score, whatever the batch.

        Notes
        -----
        A scorer that needs to know what was asked for has ``score_captioned(paths, captions)`` besides, with one
        caption or None per path, and says so in `ScorerSpec.captioned`.
        """


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement.

    Attributes
    ----------
    value : float
        0 to 10.
    parts : mapping of str to float
    embedding : float array [shape=(d,)] or None
    curve : tuple of float
        Score over time, one per window; empty where the scorer gives none.
    embeddings : mapping of str to float array
        What a panel heard with further encoders, by `ScorerSpec.encoder` of the judge; `embedding` is not among them.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    embedding: np.ndarray | None = None
    curve: tuple[float, ...] = ()
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScorerSpec:
    """What the parent must know of a scorer before anything is loaded.

    Attributes
    ----------
    text : str
        As the user wrote it, ``"banger+tunejury:0.5"``.
    identity : mapping
        JSON types: each term's name, revision (hash of weights), weight, window, dtype. Two runs are comparable
        exactly when these are equal.
    target : str
        ``"module:Class"`` of the `Scorer` to construct.
    config : mapping
        Handed to `Scorer.load`.
    read_paths : tuple of Path
        What a confined scorer may read.
    device : str
    encoder : str
        Identity of the embedding space (encoder revision, window, dtype), the key of the embedding cache; empty
        if the scorer gives no embeddings.
    memory_limit : int
        Bytes.
    captioned : bool
        Whether a song is judged against its caption: the scorer then has ``score_captioned(paths, captions)``.
    """

    text: str
    identity: Mapping[str, Any]
    target: str
    config: Mapping[str, Any] = field(default_factory=dict)
    read_paths: tuple[Path, ...] = ()
    device: str = "cpu"
    encoder: str = ""
    memory_limit: int = 8 << 30
    captioned: bool = False

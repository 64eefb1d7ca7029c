"""A pair of heads that places a song in the plane of valence and arousal; near a point the score is high."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import CheckpointError
from optimizer.scoring import heads

AXES = ("valence", "arousal")
KIND = "distance"
"""The ``kind`` of a target that is a point in the plane; see `open_plane`."""


@dataclass(frozen=True, slots=True)
class PlaneHead:
    """Judges an embedding as `optimizer.scoring.heads.Head` does, by two heads and a point.

    Attributes
    ----------
    axes : tuple of Head
        Of valence and of arousal.
    units : tuple of (float, float)
        (offset, scale) of each: what is heard is offset + scale * the head's number, in the raters' unit.
    point : tuple of float
        Valence and arousal that score 10.
    reach : float
        Distance from there at which the score is 0.
    """

    axes: tuple[heads.Head, heads.Head]
    units: tuple[tuple[float, float], tuple[float, float]]
    point: tuple[float, float]
    reach: float

    @property
    def width(self) -> int:
        """Length of the embedding it judges."""
        return self.axes[0].width

    def place(self, embedding: np.ndarray) -> tuple[float, float]:
        """Return the valence and arousal that are heard in an embedding [shape=(d,)]."""
        valence, arousal = (
            offset + scale * float(head.raw(embedding).mean())
            for head, (offset, scale) in zip(self.axes, self.units, strict=True)
        )
        return valence, arousal

    def judge(self, embedding: np.ndarray) -> tuple[float, dict[str, float]]:
        """Return ``10 * max(0, 1 - distance / reach)``, and parts: ``valence``, ``arousal``, ``distance``."""
        heard = self.place(embedding)
        distance = math.dist(heard, self.point)
        value = 10.0 * max(0.0, 1.0 - distance / self.reach)
        return value, {**dict(zip(AXES, heard, strict=True)), "distance": distance}

    def describe(self) -> dict[str, Any]:
        """Return what is worth recording."""
        axes = {axis: head.describe() for axis, head in zip(AXES, self.axes, strict=True)}
        return {**axes, "point": list(self.point), "reach": self.reach}


def open_plane(folder: Path, target: Mapping[str, Any]) -> PlaneHead:
    """Read the two heads of an emotion folder.

    Parameters
    ----------
    folder : Path
        With a trained head in ``valence`` and another in ``arousal``.
    target : mapping
        ``{"kind": "distance", "point": [valence, arousal], "reach": float}``.

    Raises
    ------
    CheckpointError
        If a head is missing or damaged, or the two judge embeddings of different lengths.
    """
    pair = tuple(heads.open_head(folder / axis) for axis in AXES)
    if pair[0].width != pair[1].width:
        raise CheckpointError(
            f"{folder}: valence judges embeddings of {pair[0].width} numbers, arousal of {pair[1].width}.",
            next_step="Train both at once: optimize train --target valence,arousal --data DIR --out HEAD",
        )
    units = tuple(_units(heads.read_config(folder / axis), folder / axis) for axis in AXES)
    valence, arousal = target["point"]
    return PlaneHead((pair[0], pair[1]), (units[0], units[1]), (float(valence), float(arousal)), float(target["reach"]))


def _units(config: Mapping[str, Any], folder: Path) -> tuple[float, float]:
    units = config.get("units", {})
    try:
        found = float(units.get("offset", 0.0)), float(units.get("scale", 1.0))
    except (TypeError, ValueError, OverflowError, AttributeError):
        found = (math.nan, math.nan)
    if not all(map(math.isfinite, found)):
        raise CheckpointError(f"{folder / heads.CONFIG}: units {units!r} must hold two numbers, offset and scale.")
    return found

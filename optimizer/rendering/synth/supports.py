"""How far the embedded engine follows a recipe, apart from the engine so that the parent need not import numpy."""

from __future__ import annotations

from optimizer.rendering.base import Support

REVISION = "synth-1"
"""Part of a run's identity: changes whenever the same recipe would sound different."""

SUPPORTS: dict[str, Support] = {
    "caption": Support.PARTIAL,
    "language": Support.PARTIAL,
    "lyrics": Support.PARTIAL,
}

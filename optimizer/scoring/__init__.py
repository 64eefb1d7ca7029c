"""Listeners that judge songs: `prepare` says what a scorer is without loading it, `open_scorer` loads it here."""

from __future__ import annotations

from optimizer.scoring.base import Score, Scorer, ScorerSpec
from optimizer.scoring.spec import available, open_scorer, parse, prepare, registered
from optimizer.scoring.terms import Term

__all__ = [
    "Score",
    "Scorer",
    "ScorerSpec",
    "Term",
    "available",
    "open_scorer",
    "parse",
    "prepare",
    "registered",
]

"""Heads trained on the acoustic embedding, and the embedding for them: a `Scorer` that needs no encoder on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring.acoustic import AcousticScorer
from optimizer.scoring.heads import open_head


class TrainedAcoustic:
    """The embedded scorer's measurements judged by a trained head."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load the head.

        Parameters
        ----------
        config : dict
            ``name`` and ``head`` (folder).
        """
        self._name = str(config["name"])
        self._head = open_head(Path(config["head"]))
        self._ear = AcousticScorer()
        return {**self._ear.load({}), "head": self._head.describe()}

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; see `Scorer.score`."""
        return [self._verdict(heard) for heard in self._ear.score(paths)]

    def _verdict(self, heard: dict[str, Any]) -> dict[str, Any]:
        if "error" in heard:
            return heard
        value, parts = self._head.judge(np.asarray(heard["embedding"]))
        return {"value": value, "parts": {self._name: value, **parts}, "embedding": heard["embedding"]}

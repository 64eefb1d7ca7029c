"""An ear that needs no weights: the embedded scorer's measurements are the embedding, and trained heads judge it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.scoring.acoustic import VERSION, WIDTH, AcousticScorer
from optimizer.scoring.ear import EarSpec, Embedding, Unheard

NAME = f"acoustic-{VERSION}"


def describe_acoustic_ear(options: Mapping[str, Any]) -> EarSpec:
    """Describe the acoustic embedding as `optimizer.scoring.ear.describe_ear` does an encoder.

    Parameters
    ----------
    options : mapping
        ``window``, which can only be ``first``; ``jobs``.

    Raises
    ------
    UsageError
        If another window is asked for.
    """
    window = options.get("window") or "first"
    if window != "first":
        raise UsageError(f"the acoustic embedding hears the first 30 s: window {window!r} must be 'first'.")
    config = {"kind": "acoustic", "jobs": int(options.get("jobs", 1))}
    return EarSpec(NAME, NAME, "first", "", "cpu", WIDTH, config, ())


class AcousticEar:
    """An `Ear` on `optimizer.scoring.acoustic.embedding`.

    Parameters
    ----------
    jobs : int
        Files decoded and measured side by side.
    """

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        self._scorer = AcousticScorer()

    def open(self) -> dict[str, Any]:
        """Import what measuring needs."""
        return {**self._scorer.load({}), "encoder": NAME, "window": "first"}

    def hear(self, paths: Sequence[Path]) -> list[Embedding]:
        """Measure files; see `Ear.hear`."""
        return list(self.stream(paths))

    def stream(self, paths: Sequence[Path]) -> Iterator[Embedding]:
        """Yield one embedding per file, in order."""
        if self._jobs <= 1 or len(paths) < 2:
            yield from map(self._hear, paths)
            return
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=self._jobs, prefer="threads", return_as="generator", pre_dispatch=2 * self._jobs)
        yield from pool(delayed(self._hear)(path) for path in paths)

    def _hear(self, path: Path) -> Embedding:
        (verdict,) = self._scorer.score([path])
        if "error" in verdict:
            return Unheard(str(verdict["error"]))
        return np.asarray(verdict["embedding"], dtype=np.float32)

"""The parent's side of scoring: a listener in a confined child of its own, loaded once and asked for every song."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import AttemptFailed, OptimizeError, ScoreFailed
from optimizer.sandbox.mechanism import Mechanism, select
from optimizer.sandbox.policy import Limits
from optimizer.scoring.base import Score, ScorerSpec
from optimizer.scoring.spec import PANEL
from optimizer.workers import Worker, python_launch

DEADLINE = 600.0
"""Seconds for one file; the slowest judge needs about a minute for a song on two cores."""

LOAD_DEADLINE = 1800.0


class ScorerProcess:
    """A scorer in its child.

    Used by one thread at a time, though `kill` and `close` may come from any.

    Parameters
    ----------
    spec : ScorerSpec
    scratch : Path
        An empty folder of its own.
    sandbox : str or Mechanism
        See `optimizer.sandbox.select`.
    log : Path, optional
        Where the child's output goes.
    read_paths : tuple of Path
        Folders of the files to judge.
    hidden : tuple of Path
        What it must not read although it lies beneath a folder that it may read.
    """

    def __init__(
        self,
        spec: ScorerSpec,
        scratch: Path,
        *,
        sandbox: str | Mechanism = "auto",
        log: Path | None = None,
        read_paths: tuple[Path, ...] = (),
        hidden: tuple[Path, ...] = (),
    ) -> None:
        self.spec = spec
        self._launch = python_launch(
            f"scorer {spec.text!r}",
            spec.target,
            scratch,
            select(sandbox) if isinstance(sandbox, str) else sandbox,
            config=spec.config,
            read_paths=(*spec.read_paths, *(path.absolute() for path in read_paths)),
            hidden=hidden,
            device=spec.device,
            environment={"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
            limits=Limits(memory=spec.memory_limit),
            log=log,
            load_deadline=LOAD_DEADLINE,
        )
        # What a user's own class calls an encoder must not take the place of what one of ours heard.
        terms = spec.config.get("terms", ()) if spec.target == PANEL else ()
        self._encoders = {str(term["encoder"]) for term in terms}
        self._worker: Worker | None = None
        self._loaded_once = False
        self._killed = False

    @property
    def info(self) -> dict[str, Any]:
        """What the scorer's ``load`` returned; empty before `start`."""
        return {} if self._worker is None else self._worker.info

    def start(self) -> None:
        """Have a loaded child ready.

        Raises
        ------
        UsageError, MissingPrerequisite
            If the scorer cannot be loaded at all: the run should end.
        ScoreFailed
            If it could be before and now cannot.
        """
        if self._killed:
            raise ScoreFailed(f"{self._launch.name} was stopped on request.", reason="cancelled")
        if self._worker is not None and self._worker.alive:
            return
        self.close()
        worker = self._worker = Worker(self._launch)
        try:
            worker.start()
        except OptimizeError as error:
            self.close()
            if self._loaded_once or isinstance(error, AttemptFailed):
                raise ScoreFailed(error.message, reason=getattr(error, "reason", "crash")) from error
            raise
        self._loaded_once = True

    @property
    def captioned(self) -> bool:
        """Whether `score` should be told what each song was asked to be."""
        return self.spec.captioned

    def score(self, paths: Sequence[Path], captions: Sequence[str | None] | None = None) -> list[Score | AttemptFailed]:
        """Judge files; a child that fails over them is replaced and asked once more.

        Parameters
        ----------
        paths : sequence of Path
        captions : sequence of str or None, optional
            What each was asked to be, for a scorer that is `captioned`.

        Returns
        -------
        list of Score or ScoreFailed
            One per path, in order.
        """
        if not paths:
            return []
        for attempt in (1, 2):
            try:
                self.start()
                assert self._worker is not None
                asked: dict[str, Any] = {"paths": [str(path.absolute()) for path in paths]}
                if captions is not None:
                    asked["captions"] = list(captions)
                results = self._worker.call("score", asked, deadline=DEADLINE * len(paths))
                if not isinstance(results, list) or len(results) != len(paths):
                    self.close()
                    raise ScoreFailed(
                        f"{self._launch.name} answered {len(paths)} files with {results!r:.80}.", reason="protocol"
                    )
                return [self._judgement(result, path) for result, path in zip(results, paths, strict=True)]
            except AttemptFailed as error:
                if error.reason == "cancelled" or self._killed or attempt == 2:
                    failure = ScoreFailed(error.message, reason="scorer" if error.reason == "engine" else error.reason)
                    return [failure for _ in paths]
        raise AssertionError("the second attempt returns")

    def kill(self) -> None:
        """End the child at once, for good."""
        self._killed = True
        worker = self._worker
        if worker is not None:
            worker.kill()

    def close(self) -> None:
        """End the child; nothing of it is left."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _judgement(self, result: Any, path: Path) -> Score | AttemptFailed:
        if not isinstance(result, dict):
            return ScoreFailed(f"{self._launch.name} said {result!r:.80} of {path.name}.", reason="protocol")
        if "error" in result:
            return ScoreFailed(f"{self._launch.name}, {path.name}: {result['error']}", reason="scorer")
        value: Any = result.get("value")
        if not _finite(value) or not 0.0 <= float(value) <= 10.0:
            return ScoreFailed(
                f"{self._launch.name} gave {path.name} the score {value!r:.40}; it must be a number from 0 to 10.",
                reason="scorer",
            )
        parts: Any = result.get("parts") or {}
        curve: Any = result.get("curve") or []
        embedding: Any = result.get("embedding")
        if not isinstance(parts, Mapping) or not isinstance(curve, list) or not all(map(_finite, curve)):
            return ScoreFailed(f"{self._launch.name} gave {path.name} parts that are not numbers.", reason="scorer")
        others: Any = result.get("embeddings") or {}
        given = [
            *([] if embedding is None else [embedding]),
            *(others.values() if isinstance(others, dict) else [None]),
        ]
        if not all(isinstance(one, list) and one and all(map(_finite, one)) for one in given):
            return ScoreFailed(f"{self._launch.name} gave {path.name} a broken embedding.", reason="scorer")
        vector = None if embedding is None else np.asarray(embedding, dtype=np.float32)
        further = {str(key): np.asarray(one, dtype=np.float32) for key, one in others.items() if key in self._encoders}
        numbers = {str(key): float(part) for key, part in parts.items() if _finite(part)}
        return Score(float(value), numbers, vector, tuple(float(point) for point in curve), further)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

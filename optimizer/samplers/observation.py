"""What a sampler knows of a trial, without Optuna: parameters, value, number, plan and genre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Observation:
    """A scored song.

    Attributes
    ----------
    params : mapping
        Optuna parameter names to values; the take's ``seed`` may be among them and is ignored.
    value : float
        The score; larger is better.
    number : int
        Trial number; negative for songs of earlier studies.
    plan : int, str or None
        Identity of the plan that was rendered, for songs of this study the trial it was made for; songs of one plan
        are correlated. None where the engine has none.
    seconds : float or None
        What it took to render and score.
    genre : str or None
        Only where ``params`` do not name it.
    """

    params: Mapping[str, Any]
    value: float
    number: int = -1
    plan: int | str | None = None
    genre: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What proposal `number` may read.

    Attributes
    ----------
    number : int
        Of the trial that is being proposed.
    observations : sequence of Observation
        Results it may read, by trial number.
    pending : sequence of mapping
        Parameters of trials whose result it may not read, or that have none yet; by trial number.
    failed : sequence of mapping
        Parameters of trials that failed, as far as it may know.
    replaying : frozenset of int
        Plans that songs in the making replay; one take of a plan at a time is enough.
    """

    number: int
    observations: Sequence[Observation] = ()
    pending: Sequence[Mapping[str, Any]] = ()
    failed: Sequence[Mapping[str, Any]] = field(default=())
    replaying: frozenset[int] = frozenset()

    @property
    def begun(self) -> int:
        """Trials that gave a song or may still give one."""
        return len(self.observations) + len(self.pending)

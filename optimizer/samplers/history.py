"""Read from an Optuna study exactly what a proposal may know, so that a killed and resumed study proposes the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from optuna.study import StudyDirection
from optuna.trial import TrialState

from optimizer.samplers.observation import History, Observation
from optimizer.samplers.proposals import settled_params

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PLAN_OF = "plan_of"
"""User attribute that names the trial whose plan a song replays."""
PLAN = "plan"
"""User attribute of a song whose plan was kept."""
TIMINGS = "timings"
LARGEST = 1e150
"""Scores from here on, infinity among them, are no scores but a way to say that the trial failed."""


def read_history(study: Study, trial: FrozenTrial, lag: int | None) -> History:
    """Return what the proposal for `trial` may read.

    Parameters
    ----------
    study : Study
        Of one objective; where it minimises, values change their sign.
    trial : FrozenTrial
        The one that is being proposed.
    lag : int or None
        Results of the trials numbered below ``trial.number - lag`` are read, the later ones count as pending whether
        or not they have a result. None: every result there is, whoever has it by now.

    Raises
    ------
    ValueError
        If the study has several objectives.
    """
    require_one_objective(study)
    sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
    observations, pending, failed = [], [], []
    replaying: set[int] = set()
    for other in study.get_trials(deepcopy=False):
        if other.number == trial.number or (lag is not None and other.number > trial.number):
            continue
        readable = lag is None or other.number < trial.number - lag
        if not readable or not other.state.is_finished():
            if params := settled_params(other):
                pending.append(params)
            if isinstance(plan := other.user_attrs.get(PLAN_OF), int):
                replaying.add(plan)
        elif other.state == TrialState.COMPLETE and other.value is not None and abs(other.value) < LARGEST:
            observations.append(_observation(other, sign * other.value))
        else:
            failed.append(settled_params(other))
    return History(trial.number, observations, pending, failed, frozenset(replaying))


def _observation(trial: FrozenTrial, value: float) -> Observation:
    # Other people's studies have attributes of these names too, that mean something else.
    attributes = trial.user_attrs
    plan = attributes.get(PLAN_OF)
    if not isinstance(plan, int):
        plan = trial.number if attributes.get(PLAN) else None
    timings = attributes.get(TIMINGS)
    stages = [timings.get(stage) for stage in ("render", "score")] if isinstance(timings, Mapping) else []
    seconds = [stage for stage in stages if isinstance(stage, int | float)]
    # With what was proposed: an objective need not ask for every parameter of every trial.
    return Observation(settled_params(trial), value, trial.number, plan, seconds=sum(seconds) if seconds else None)


def require_one_objective(study: Study) -> None:
    """Refuse a study of several objectives.

    Raises
    ------
    ValueError
    """
    if len(study.directions) > 1:
        raise ValueError(
            f"this sampler searches for the best songs by one score; the study has {len(study.directions)} objectives. "
            "Use one direction, or another sampler such as NSGAIISampler."
        )

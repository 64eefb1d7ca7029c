"""Keep a proposal with its trial, so that a trial adopted from a dead process gets the parameters it would have had."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from optimizer.samplers.seeds import derive_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from optimizer.samplers.ranges import Spacing

PROPOSAL = "banger:proposal"
"""System attribute that holds a trial's proposal."""
PHASE = "phase"

_latest: WeakKeyDictionary[Any, tuple[Any, dict[str, Any]]] = WeakKeyDictionary()
"""By storage, the trial whose proposal was looked up last, and its parameters: they are asked for one by one, and each
look into a database costs more than the proposal itself. A stored proposal never changes."""

_locks: WeakValueDictionary[str, threading.RLock] = WeakValueDictionary()
_making_locks = threading.Lock()


def proposing(study: Study) -> threading.RLock:
    """Return the lock under which a study's proposals are made, from reading the history to storing what follows.

    Two threads that read the same history would propose the same. The lock goes by the study's name: each thread may
    have loaded the study for itself, and a sampler must stay one that can be copied and pickled.
    """
    name = study.study_name
    with _making_locks:
        return _locks.setdefault(name, threading.RLock())


def settled_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters that a trial has, or is about to get: they are handed out one by one."""
    proposal = trial.system_attrs.get(PROPOSAL)
    return {**(proposal["params"] if isinstance(proposal, dict) else {}), **trial.params}


def stored_proposal(study: Study, trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the parameters that were proposed for a trial before, or None."""
    known = _latest.get(study._storage)
    if known is not None and known[0] == _identity(trial):
        return dict(known[1])
    found = study._storage.get_trial_system_attrs(trial._trial_id).get(PROPOSAL)
    if not isinstance(found, dict):
        return None
    _mark(study, trial, found["marks"])
    _latest[study._storage] = _identity(trial), dict(found["params"])
    return dict(found["params"])


def store_proposal(
    study: Study, trial: FrozenTrial, params: Mapping[str, Any], marks: Mapping[str, Any], **more: Any
) -> None:
    """Write a proposal, and its marks as user attributes.

    Parameters
    ----------
    study : Study
    trial : FrozenTrial
    params : mapping
    marks : mapping
        User attributes: the phase, and the plan to replay.
    **more : object
        What else belongs to the proposal.
    """
    study._storage.set_trial_system_attr(
        trial._trial_id, PROPOSAL, {"params": dict(params), "marks": dict(marks), **more}
    )
    _mark(study, trial, marks)
    _latest[study._storage] = _identity(trial), dict(params)


def _identity(trial: FrozenTrial) -> Any:
    # Identifiers come back once a study is deleted, moments do not.
    return trial._trial_id, trial.number, trial.datetime_start


def _mark(study: Study, trial: FrozenTrial, marks: Mapping[str, Any]) -> None:
    if all(name in trial.user_attrs for name in marks):
        return
    # Again for an adopted trial: its process may have died between the proposal and this.
    present = study._storage.get_trial_user_attrs(trial._trial_id)
    for name, value in marks.items():
        if name not in present:
            study._storage.set_trial_user_attr(trial._trial_id, name, value)
            # The live trial shows its own copy, which it shares with us.
            trial.user_attrs[name] = value


def fixed_params(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters somebody settled for the trial by `Study.enqueue_trial`."""
    return dict(study._storage.get_trial_system_attrs(trial._trial_id).get("fixed_params", {}))


def draw_seed(study_seed: int, number: int, distribution: BaseDistribution) -> int | None:
    """Return the seed of a take, or None where the distribution is not one of whole numbers."""
    if not isinstance(distribution, IntDistribution):
        return None
    seed = derive_seed(study_seed, number)
    span = (distribution.high - distribution.low) // distribution.step + 1
    inside = distribution.low <= seed <= distribution.high and (seed - distribution.low) % distribution.step == 0
    return seed if inside else distribution.low + seed % span * distribution.step


def draw_independent(
    study: Study, trial: FrozenTrial, study_seed: int, name: str, distribution: BaseDistribution
) -> Any:
    """Draw a parameter that no model knows, as a function of the study's seed, the trial and its name."""
    sampler = RandomSampler(seed=derive_seed(study_seed, "independent", trial.number, name))
    return sampler.sample_independent(study, trial, name, distribution)


def fits(distribution: BaseDistribution, value: Any) -> bool:
    """Tell whether a distribution contains a value."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def warn_misfit(name: str, value: Any, distribution: BaseDistribution) -> None:
    """Say that the objective asks for other values than the sampler was given: nothing is learned from such a trial."""
    warnings.warn(
        f"parameter {name!r}: the proposed value {value!r} is not among those that the objective asks for, "
        f"{distribution}. It is drawn at random, and such trials teach nothing: give `search_space` the same values.",
        stacklevel=2,
    )


def as_asked(distribution: BaseDistribution, value: Any) -> Any:
    """Return a value in the type that the distribution's suggestions have."""
    if isinstance(distribution, FloatDistribution):
        return float(value)
    return int(value) if isinstance(distribution, IntDistribution) else value


def distribution_of(choices: Any, values: tuple[Any, ...], spacing: Spacing) -> BaseDistribution:
    """Return the Optuna distribution of a parameter.

    Parameters
    ----------
    choices : sequence, or object with ``low`` and ``high``
        As the user said it.
    values : tuple
    spacing : {"listed", "steps", "linear", "geometric"}
        What `levels_of` made of it.
    """
    if spacing == "steps":
        return FloatDistribution(values[0], values[-1], step=float(choices.step))
    if spacing != "listed":
        return FloatDistribution(values[0], values[-1], log=spacing == "geometric")
    if hasattr(choices, "low") and hasattr(choices, "high"):
        step = values[1] - values[0] if len(values) > 1 else 1
        return IntDistribution(values[0], values[-1], step=step)
    return CategoricalDistribution(values)

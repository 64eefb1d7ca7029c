"""Keep a proposal with its trial, so that a trial adopted from a dead process gets the parameters it would have had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler

from optimizer.samplers.seeds import derive_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PROPOSAL = "banger:proposal"
"""System attribute that holds a trial's proposal."""
PHASE = "phase"


def stored_proposal(study: Study, trial: FrozenTrial) -> dict[str, Any] | None:
    """Return what was proposed for a trial before, or None."""
    attributes = study._storage.get_trial_system_attrs(trial._trial_id)
    found = attributes.get(PROPOSAL)
    return dict(found) if isinstance(found, dict) else None


def store_proposal(study: Study, trial: FrozenTrial, params: Mapping[str, Any], phase: str, **more: Any) -> None:
    """Write a proposal and its phase; the proposal last, since with it nothing is computed again."""
    if PHASE not in study._storage.get_trial_user_attrs(trial._trial_id):
        study._storage.set_trial_user_attr(trial._trial_id, PHASE, phase)
    study._storage.set_trial_system_attr(trial._trial_id, PROPOSAL, {"params": dict(params), **more})


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


def distribution_of(values: tuple[Any, ...], as_range: bool) -> BaseDistribution:
    """Return the Optuna distribution of a parameter's legal values."""
    if as_range:
        step = values[1] - values[0] if len(values) > 1 else 1
        return IntDistribution(values[0], values[-1], step=step)
    return CategoricalDistribution(values)

"""Any Optuna sampler after a sweep, wrapped so that a proposal depends on the study alone and the seed stays hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from optimizer.errors import UsageError
from optimizer.samplers.grid import GENRE, SEED, Block, Factor, Grid
from optimizer.samplers.history import read_history
from optimizer.samplers.proposals import (
    PHASE,
    PROPOSAL,
    as_asked,
    distribution_of,
    draw_independent,
    draw_seed,
    fits,
    fixed_params,
    proposing,
    store_proposal,
    stored_proposal,
    warn_misfit,
)
from optimizer.samplers.seeds import derive_seed
from optimizer.samplers.sweep import sweep_point

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

Factory = Callable[[int], BaseSampler]


class StatelessSampler(BaseSampler):
    """Sweep first, then let a sampler made by `factory` propose.

    Every proposal is made by a fresh sampler on a copy of the study that holds what the proposal may read: results
    of the trials numbered below ``k - ahead``, the rest as running, and no seeds. So it is a function of (seed, trial
    number, history), and a resumed study goes on as an uninterrupted one would have.

    Parameters
    ----------
    factory : callable
        Given a seed, a sampler.
    search_space : mapping
        Parameter name to legal values, as `TopKSampler` takes them. A range of fractions without a step is proposed
        from as it is, not in levels.
    seed : int
        Of the study.
    subspaces : mapping, optional
        Genre to its legal values; what the sampler proposes outside is moved to the closest point that exists.
    explore : int
        Songs of the sweep.
    ahead : int or None
        Trials below the next one whose results are not read; None reads whatever there is.
    """

    def __init__(
        self,
        factory: Factory,
        search_space: Mapping[str, Any],
        *,
        seed: int,
        subspaces: Mapping[str, Mapping[str, Any]] | None = None,
        explore: int = 10,
        ahead: int | None = 0,
    ) -> None:
        self.grid = Grid(search_space, subspaces)
        self.explore = explore
        self.ahead = ahead
        self._factory = factory
        self._seed = seed
        self._distributions = {
            name: distribution_of(search_space[name], values, self.grid.spacings[name])
            for name, values in self.grid.values.items()
        }

    @property
    def sweep_lag(self) -> int | None:
        """Trials below the next one of which the sweep does not know whether they failed."""
        return None if self.ahead is None else max(self.ahead, 1) + 1

    def reseed_rng(self) -> None:
        """Do nothing: draws depend on the trial's number, so workers never repeat each other."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: parameters are handed out one by one, whatever distribution they are asked with."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing; see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return one parameter of the trial's proposal."""
        if param_name == SEED:
            drawn = draw_seed(self._seed, trial.number, param_distribution)
            if drawn is not None:
                self._proposal(study, trial)
                return drawn
        params = self._proposal(study, trial)
        if param_name in params:
            if fits(param_distribution, params[param_name]):
                return as_asked(param_distribution, params[param_name])
            warn_misfit(param_name, params[param_name], param_distribution)
        return draw_independent(study, trial, self._seed, param_name, param_distribution)

    def _proposal(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        stored = stored_proposal(study, trial)
        if stored is not None:
            return stored
        with proposing(study):
            return self._propose(study, trial)

    def _propose(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        fixed = fixed_params(study, trial)
        history = read_history(study, trial, self.sweep_lag)
        if history.begun < self.explore:
            params = sweep_point(self.grid, history, self._seed, fixed=fixed)
            store_proposal(study, trial, params, {PHASE: "sweep"})
            return params
        params, attributes = self._ask_copy(study, trial)
        params = self._existing(params, fixed, trial.number)
        store_proposal(study, trial, params, {PHASE: "refine"}, attributes=attributes)
        return params

    def _ask_copy(self, study: Study, trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, Any]]:
        """Let a fresh sampler propose on a copy; return its parameters, and what it wrote into trial and study."""
        copy = optuna.create_study(directions=study.directions)
        storage, own = copy._storage, copy._study_id
        for other in study.get_trials(deepcopy=False):
            if other.number >= trial.number:
                break
            readable = self.ahead is None or other.number < trial.number - self.ahead
            written = (other.system_attrs.get(PROPOSAL) or {}).get("attributes") or {}
            storage.create_new_trial(own, template_trial=self._masked(other, readable, written.get("trial", {})))
            for name, value in written.get("study", {}).items():
                storage.set_study_system_attr(own, name, value)
        known = dict(storage.get_study_system_attrs(own))
        number = storage.create_new_trial(own)
        sampler = self._factory(derive_seed(self._seed, "sampler", trial.number))
        try:
            params = self._drawn(sampler, copy, number)
        except UsageError:
            raise
        except Exception as error:  # It runs whatever its author wrote.
            raise UsageError(
                f"sampler {type(sampler).__name__} failed at trial {trial.number}: {type(error).__name__}: {error}.",
                next_step="Mend it and repeat the command: the songs so far are kept.",
            ) from error
        study_attributes = {
            name: value for name, value in storage.get_study_system_attrs(own).items() if known.get(name) != value
        }
        attributes = {"trial": dict(storage.get_trial_system_attrs(number)), "study": study_attributes}
        return params, {name: value for name, value in attributes.items() if value}

    def _drawn(self, sampler: BaseSampler, copy: Study, number: int) -> dict[str, Any]:
        """Let a sampler draw every parameter of a trial, in Optuna's order, each knowing those before it."""
        storage = copy._storage
        sampler.before_trial(copy, storage.get_trial(number))
        frozen = storage.get_trial(number)
        space = {
            name: distribution
            for name, distribution in sampler.infer_relative_search_space(copy, frozen).items()
            if self._distributions.get(name) == distribution
        }
        together = sampler.sample_relative(copy, frozen, space)
        params: dict[str, Any] = {}
        for name, distribution in self._distributions.items():
            if name in together:
                value = together[name]
            elif distribution.single():
                value = self.grid.values[name][0]
            else:
                value = sampler.sample_independent(copy, storage.get_trial(number), name, distribution)
            if not fits(distribution, value):
                raise UsageError(
                    f"sampler {type(sampler).__name__} proposed {value!r} for {name!r}: it must be of {distribution}.",
                    next_step="Mend it and repeat the command: the songs so far are kept.",
                )
            internal = distribution.to_internal_repr(value)
            storage.set_trial_param(number, name, internal, distribution)
            # Back from there: NumPy's numbers as Python's, which are all that a database takes.
            params[name] = distribution.to_external_repr(internal)
        return params

    def _masked(self, other: FrozenTrial, readable: bool, attributes: dict[str, Any]) -> FrozenTrial:
        params = {name: other.params[name] for name in self._distributions if name in other.params}
        params = {name: value for name, value in params.items() if fits(self._distributions[name], value)}
        distributions = {name: self._distributions[name] for name in params}
        state = other.state if readable and other.state.is_finished() else TrialState.RUNNING
        return create_trial(
            state=state,
            values=other.values if state == TrialState.COMPLETE else None,
            params=params,
            distributions=distributions,
            system_attrs=attributes,
        )

    def _existing(self, params: Mapping[str, Any], fixed: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Move a proposal to a point that exists, in the genre that its style belongs to."""
        wanted = {**params, **{name: value for name, value in fixed.items() if name in params}}
        if self.grid.find(wanted) is not None:
            return wanted
        random = derive_seed(self._seed, "existing", number)
        fitting = [block for block in self.grid.blocks if _has(block, "style", wanted.get("style"))]
        genre = wanted.get(GENRE)
        named = [block for block in fitting or self.grid.blocks if block.genre == genre]
        choice = named or fitting or list(self.grid.blocks)
        block = choice[random % len(choice)]
        moved: dict[str, Any] = {} if block.genre is None else {GENRE: block.genre}
        for factor in block.factors:
            value = wanted.get(factor.name)
            if value not in factor.values:
                value = _closest(factor, value, random)
            moved[factor.name] = value
        return moved


def _has(block: Block, name: str, value: Any) -> bool:
    return any(factor.name == name and value in factor.values for factor in block.factors)


def _closest(factor: Factor, value: Any, random: int) -> Any:
    if factor.numeric and isinstance(value, (int, float)):
        return min(factor.values, key=lambda legal: (abs(legal - value), legal))
    return factor.values[random % len(factor.values)]

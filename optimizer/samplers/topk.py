"""The default sampler: a covering sweep, then a Bayesian mixed model that spends the songs left on the best of N."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler
from optuna.study import StudyDirection

from optimizer.samplers.checks import require_scores
from optimizer.samplers.grid import SEED, Grid
from optimizer.samplers.history import PLAN_OF, read_history, require_one_objective
from optimizer.samplers.model import Model
from optimizer.samplers.observation import Observation
from optimizer.samplers.policy import Policy
from optimizer.samplers.proposals import (
    PHASE,
    as_asked,
    draw_independent,
    draw_seed,
    fits,
    fixed_params,
    proposing,
    store_proposal,
    stored_proposal,
    warn_misfit,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class TopKSampler(BaseSampler):
    """Search a grid of recipes for the best few songs.

    Use it as one uses `optuna.samplers.GridSampler`: say the values each parameter may take, and suggest the same
    values in the objective. ``seed``, if suggested as a whole number, is a function of (seed, trial number) and never
    modelled. Parameters that are not in `search_space` are drawn at random.

    Parameters
    ----------
    search_space : mapping
        Parameter name to its legal values: a sequence, or an object with ``choices`` or with ``low``, ``high`` and
        ``step``, such as Optuna's distributions. A range of fractions without a step is searched in 21 levels, of
        equal ratios where its ``log`` is true; one between whole numbers 10 or more apart, or of ``bpm``, in whole
        numbers.
    seed : int
        Of the study.
    n_trials : int, optional
        Songs the study shall have in total; knowing it, the sampler stops exploring in time.
    explore : int, optional
        Songs of the sweep; by default what docs/search.md found best.
    subspaces : mapping, optional
        Genre to its legal values, where not every combination of values exists.
    ahead : int, optional
        Trials below the next one whose results are not read. By default all results are read and running trials
        count as pending.
    goal : {"best", "average"}
        The best songs, or reliably good ones.
    per_genre : bool
        Spread the budget evenly over the genres.
    prior : sequence of Observation
        Songs of earlier studies of the same objective, with their values as those studies have them: where the study
        minimises, small ones are good.
    replay_plans : bool
        Whether a trial may be told to replay the plan of an earlier one: its user attribute ``plan_of`` then names that
        trial. Songs whose plan was kept carry a user attribute ``plan``; what songs cost is read from ``timings``.
    model : Model, optional
        Sizes of effects and noise, such as `learn` gives them from other genres.

    Raises
    ------
    UsageError
        If a parameter has no legal values, the goal is not known, or a prior song's value is not a finite number.
    """

    def __init__(
        self,
        search_space: Mapping[str, Any],
        *,
        seed: int,
        n_trials: int | None = None,
        explore: int | None = None,
        subspaces: Mapping[str, Mapping[str, Any]] | None = None,
        ahead: int | None = None,
        goal: str = "best",
        per_genre: bool = False,
        prior: Sequence[Observation] = (),
        replay_plans: bool = False,
        model: Model | None = None,
    ) -> None:
        require_scores(prior, "prior")
        self.policy = Policy(
            Grid(search_space, subspaces),
            seed,
            n_trials,
            explore,
            goal,
            per_genre,
            tuple(prior),
            model or Model(),
            replay_plans,
        )
        self.ahead = ahead

    @property
    def explore(self) -> int:
        """Songs of the sweep."""
        return self.policy.sweep_songs

    @property
    def sweep_lag(self) -> int | None:
        """Trials below the next one of which the sweep does not know whether they failed."""
        return None if self.ahead is None else max(self.ahead, 1) + 1

    def reseed_rng(self) -> None:
        """Do nothing: draws depend on the trial's number, so workers never repeat each other."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing: parameters are handed out one by one, whatever distribution they are asked with."""
        require_one_objective(study)
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
        require_one_objective(study)
        if param_name == SEED:
            drawn = draw_seed(self.policy.seed, trial.number, param_distribution)
            if drawn is not None:
                self._proposal(study, trial)
                return drawn
        if param_name in self.policy.grid.values:
            proposal = self._proposal(study, trial)
            if param_name in proposal:
                value = proposal[param_name]
                if fits(param_distribution, value):
                    return as_asked(param_distribution, value)
                warn_misfit(param_name, value, param_distribution)
        return draw_independent(study, trial, self.policy.seed, param_name, param_distribution)

    def _proposal(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        stored = stored_proposal(study, trial)
        if stored is not None:
            return stored
        with proposing(study):
            return self._propose(study, trial)

    def _propose(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        fixed = fixed_params(study, trial)
        history = read_history(study, trial, self.sweep_lag)
        if self.policy.sweeping(history):
            proposal = self.policy.sweep(history, fixed)
        else:
            if self.sweep_lag != self.ahead:
                history = read_history(study, trial, self.ahead)
            proposal = self._policy_of(study).propose(history, fixed)
        marks: dict[str, Any] = {PHASE: proposal.phase}
        if proposal.plan_of is not None:
            marks[PLAN_OF] = proposal.plan_of
        store_proposal(study, trial, proposal.params, marks)
        return proposal.params

    def _policy_of(self, study: Study) -> Policy:
        """Return the policy with the prior in the direction of the history, where larger is better."""
        if study.direction != StudyDirection.MINIMIZE or not self.policy.prior:
            return self.policy
        return replace(self.policy, prior=tuple(replace(song, value=-song.value) for song in self.policy.prior))

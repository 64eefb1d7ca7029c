"""From a history to the next point, without Optuna: the sweep first, then the model's most promising point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from optimizer.errors import UsageError, did_you_mean
from optimizer.samplers.acquisition import promise, tail, width
from optimizer.samplers.failures import attempts, survival
from optimizer.samplers.features import Array, Indices
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import Belief, Model
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.plans import Plan, log_excess, measured_costs, take_belief, threshold
from optimizer.samplers.record import Gathered, gather_history
from optimizer.samplers.seeds import derive_seed
from optimizer.samplers.sweep import matching_blocks, matching_points, sweep_point
from optimizer.samplers.threads import one_thread

GOALS = ("best", "average")
GENRE_SWEEP = 2
"""Songs per genre before genres compete."""
COVER = 5
"""Songs of the sweep within one genre; more of them cost, fewer gain nothing (docs/search.md)."""

UNKNOWN_SHARE = 0.5
"""Share of the noise that belongs to the plan, before any plan has two songs."""

Phase = Literal["sweep", "refine"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The next point.

    Attributes
    ----------
    params : dict
        Optuna parameters, without the seed.
    phase : {"sweep", "refine"}
    plan_of : int or None
        Trial whose plan the song shall replay; None for a plan of its own.
    """

    params: dict[str, Any]
    phase: Phase
    plan_of: int | None = None


@dataclass(frozen=True)
class Policy:
    """How to choose the next song.

    Attributes
    ----------
    grid : Grid
    seed : int
        Of the study.
    n_trials : int or None
        Songs the study shall have in total.
    explore : int or None
        Songs of the sweep; None chooses by the grid.
    goal : {"best", "average"}
        Songs as good as possible, or recipes as good as possible.
    per_genre : bool
        Spread the budget evenly over the genres.
    prior : sequence of Observation
        Songs of earlier studies of the same objective.
    model : Model
    replay_plans : bool
        Whether the engine replays stored plans, so that a take may be proposed instead of a fresh song.
    """

    grid: Grid
    seed: int
    n_trials: int | None = None
    explore: int | None = None
    goal: str = "best"
    per_genre: bool = False
    prior: Sequence[Observation] = ()
    model: Model = field(default_factory=Model)
    replay_plans: bool = False

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise UsageError(f"goal {self.goal!r} is not known: best or average.{did_you_mean(self.goal, GOALS)}")

    @property
    def sweep_songs(self) -> int:
        """Songs of the sweep."""
        return default_explore(self.grid, self.n_trials) if self.explore is None else self.explore

    def curiosity(self, begun: int) -> float:
        """Return the width of the confidence bound after so many songs; see `width`."""
        return width(begun, self.n_trials)

    def sweep(self, history: History, fixed: Mapping[str, Any] | None = None) -> Proposal:
        """Return the next point of the sweep; it depends on what was asked and what failed, not on scores."""
        return Proposal(sweep_point(self.grid, history, self.seed, fixed=fixed), "sweep")

    def propose(self, history: History, fixed: Mapping[str, Any] | None = None) -> Proposal:
        """Return the next point after the sweep.

        Parameters
        ----------
        history : History
        fixed : mapping, optional
            Values that are settled already.
        """
        with one_thread():
            gathered = gather_history(self.grid, history, self.prior, self.model)
            number, index, belief = self._most_promising(history, gathered, fixed)
            plan = None
            if self.replay_plans and not fixed:
                plan = self._better_take(history, gathered, (number, belief))
        if plan is not None:
            return Proposal(self.grid.blocks[plan.block].point(plan.point), "refine", plan.trial)
        return Proposal(self.grid.blocks[number].point(index), "refine")

    def sweeping(self, history: History) -> bool:
        """Tell whether the sweep goes on: songs that the grid does not know are none of it."""
        left = self.sweep_songs
        for params in (*(observation.params for observation in history.observations), *history.pending):
            if left <= 0:
                break
            left -= self.grid.find(params) is not None
        return left > 0

    def next(self, history: History, fixed: Mapping[str, Any] | None = None) -> Proposal:
        """Return the next point of whichever phase it is."""
        phase = self.sweep if self.sweeping(history) else self.propose
        return phase(history, fixed)

    def _most_promising(
        self, history: History, gathered: Gathered, fixed: Mapping[str, Any] | None
    ) -> tuple[int, int, Belief]:
        among = matching_blocks(self.grid, fixed)
        if self.per_genre and len(among) > 1:
            had = [attempts(begun, len(failed)) for begun, failed in zip(gathered.begun, gathered.failed, strict=True)]
            among = [min(among, key=lambda number: (had[number], number))]
        at = self._candidates(history, gathered, among, fixed)
        beliefs, _ = gathered.model.believe(self.grid.blocks, gathered.evidence, at, gathered.pending)
        wide = self.curiosity(history.begun)
        competing = len(among) > 1 and self.goal == "best"
        left = (self.n_trials if self.n_trials is not None else 2 * history.begun) - history.begun
        chances = survival(self.grid, [own.points for own in gathered.songs], gathered.failed, at)
        heard = [gathered.songs[number].values for number in among if len(gathered.songs[number].values)]
        best: tuple[float, int, int, Belief] | None = None
        for number in among:
            worth = promise(beliefs[number], wide, tail(left) if competing else 0.0)
            if chances is not None:
                # A trial that fails brings no more than a song like any other.
                usual = float(np.mean(np.concatenate(heard))) if heard else float(worth.min())
                worth -= (1.0 - chances[number]) * np.maximum(worth - usual, 0.0)
            top = int(np.argmax(worth + self._ties(history.number, number, at[number], beliefs[number])))
            if best is None or worth[top] > best[0]:
                belief = beliefs[number]
                alone = Belief(belief.mean[[top]], belief.sd[[top]], belief.noise)
                best = (float(worth[top]), number, int(at[number][top]), alone)
        assert best is not None
        return best[1:]

    def _better_take(self, history: History, gathered: Gathered, fresh: tuple[int, Belief]) -> Plan | None:
        """Return the plan whose next take brings more per second than the fresh song, or None."""
        plans = self._plans(history, gathered, fresh[0])
        if not plans:
            return None
        costs, limit = measured_costs(history.observations), threshold(history.observations)
        wide = self.curiosity(history.begun)
        belief = fresh[1]
        best = float(log_excess(belief.mean + wide * belief.sd, np.array([belief.noise]), limit)[0]) - np.log(
            costs.fresh
        )
        chosen = None
        at = [np.zeros(0, dtype=np.int64) for _ in self.grid.blocks]
        at[fresh[0]] = np.array(sorted({plan.point for plan in plans}), dtype=np.int64)
        beliefs, _ = gathered.model.believe(self.grid.blocks, gathered.evidence, at, gathered.pending)
        known = beliefs[fresh[0]]
        share = gathered.plan_share if gathered.plan_share > 0 else UNKNOWN_SHARE
        for plan in plans:
            place = int(np.searchsorted(at[plan.block], plan.point))
            mean, sd, noise = take_belief(plan, float(known.mean[place]), float(known.sd[place]), known.noise, share)
            worth = float(log_excess(np.array([mean + wide * sd]), np.array([noise]), limit)[0]) - np.log(costs.take)
            if worth > best:
                best, chosen = worth, plan
        return chosen

    def _plans(self, history: History, gathered: Gathered, block: int) -> list[Plan]:
        """Return the stored plans of a block, by trial."""
        songs = gathered.songs[block]
        own: dict[int, list[int]] = {}
        for song, plan in enumerate(songs.plans):
            if isinstance(plan, int) and plan not in history.replaying:
                own.setdefault(plan, []).append(song)
        return [
            Plan(
                trial,
                block,
                int(songs.points[members[0]]),
                float(np.average(songs.values[members], weights=songs.weights[members])),
                float(songs.weights[members].sum()),
            )
            for trial, members in sorted(own.items())
        ]

    def _candidates(
        self, history: History, gathered: Gathered, among: Sequence[int], fixed: Mapping[str, Any] | None
    ) -> list[Indices]:
        """Return the points to weigh in each block; none in those that cannot be chosen."""
        found: list[NDArray[np.int64]] = []
        for number, block in enumerate(self.grid.blocks):
            if number not in among:
                found.append(np.zeros(0, dtype=np.int64))
                continue
            own = gathered.evidence[number]
            keep = own.points[np.argsort(-own.means, kind="stable")].tolist()
            points = matching_points(block, block.candidates(history.number, self.seed, keep), fixed)
            broken = gathered.broken[number]
            working = points[~np.isin(points, list(broken))] if broken else points
            found.append(working if len(working) else points)
        return found

    def _ties(self, number: int, block: int, at: Indices, belief: Belief) -> Array:
        # Points that nothing tells apart yet: a seeded choice, so large that rounding in another order of sums or on
        # another machine does not change it, so small that it decides nothing else.
        random = np.random.default_rng(derive_seed(self.seed, "ties", number, block))
        return 1e-6 * belief.noise * random.random(len(at))

    def with_songs(self, n_trials: int | None) -> Policy:
        """Return the same policy for another total."""
        return replace(self, n_trials=n_trials)


def default_explore(grid: Grid, n_trials: int | None) -> int:
    """Return how many songs the sweep takes: two per genre, or a few of one genre that meet its values."""
    songs = GENRE_SWEEP * len(grid.blocks) if grid.several else min(COVER, max(grid.blocks[0].shape, default=1))
    songs = min(songs, grid.size)
    return songs if n_trials is None else min(songs, n_trials)

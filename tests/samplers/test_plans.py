"""Takes of stored plans against fresh songs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from optimizer.samplers import Observation, TopKSampler
from optimizer.samplers.grid import Grid
from optimizer.samplers.observation import History
from optimizer.samplers.plans import Plan, log_excess, measured_costs, take_belief, threshold
from optimizer.samplers.policy import Policy

GRID = Grid({"style": ("a", "b", "c"), "bpm": (90, 120, 150)})


@pytest.mark.parametrize("limit", [-3.0, 0.0, 2.0, 6.0, 30.0])
def test_the_expected_excess_is_the_integral(limit: float) -> None:
    found = float(log_excess(np.array([0.5]), np.array([0.8]), limit)[0])
    if limit < 6:
        whole, _ = quad(lambda y: (y - limit) * norm.pdf(y, 0.5, 0.8), limit, 12)
        assert_allclose(np.exp(found), whole, rtol=1e-6)
    else:
        assert -1200 < found < -20


def test_costs_are_measured_by_kind_of_song() -> None:
    songs = [Observation({}, 3.0, number, number, seconds=40.0) for number in range(3)]
    songs += [Observation({}, 3.0, number, 0, seconds=30.0) for number in range(3, 6)]
    costs = measured_costs(songs)
    assert (costs.fresh, costs.take) == (40.0, 30.0)
    assert measured_costs(songs[:2]).take == 20.0
    assert measured_costs([]).take == 0.5


def test_the_fifth_best_is_to_be_beaten() -> None:
    songs = [Observation({}, float(score)) for score in (1, 9, 3, 7, 5, 8, 2)]
    assert threshold(songs) == 3.0
    assert threshold(songs[:3]) == 1.0


def test_belief_in_a_plan_is_that_of_a_joint_gaussian() -> None:
    share, noise, sd, mean = 0.6, 0.5, 0.3, 3.0
    scores = np.array([3.6, 3.9])
    covariance = np.full((2, 2), share * noise**2) + (1 - share) * noise**2 * np.eye(2)
    plan = Plan(0, 0, 0, float(scores.mean()), 2.0)
    shared = share * noise**2 * np.ones(2)
    gain = np.linalg.solve(covariance, shared)
    own, variance, weight = gain @ (scores - mean), share * noise**2 - gain @ shared, float(gain.sum())
    found = take_belief(plan, mean, sd, noise, share)
    assert found[0] == pytest.approx(mean + own)
    assert found[1] == pytest.approx(float(np.sqrt(variance + (1 - weight) ** 2 * sd**2)))
    assert found[2] == pytest.approx(noise * 0.4**0.5)


def history(lucky: float, take_seconds: float) -> History:
    random = np.random.default_rng(2)
    songs = []
    for number in range(24):
        plan = number if number < 12 else number - 12
        score = 3.0 + 0.3 * random.standard_normal() + (lucky if plan == 5 else 0.0)
        point = GRID.blocks[0].point(plan % 9)
        songs.append(Observation(point, float(score), number, plan, seconds=60.0 if number < 12 else take_seconds))
    return History(24, songs)


def test_a_good_plan_is_replayed_when_that_is_cheap() -> None:
    policy = Policy(GRID, 1, None, explore=4, replay_plans=True)
    proposal = policy.propose(history(1.5, 20.0))
    assert proposal.plan_of == 5
    assert proposal.params == GRID.blocks[0].point(5)
    assert policy.propose(history(1.5, 6000.0)).plan_of is None
    assert Policy(GRID, 1, None, explore=4).propose(history(1.5, 20.0)).plan_of is None


def test_a_plan_in_the_making_is_not_replayed_at_once_again() -> None:
    policy = Policy(GRID, 1, None, explore=4, replay_plans=True)
    first = history(1.5, 20.0)
    waiting = History(25, first.observations, (GRID.blocks[0].point(5),), replaying=frozenset({5}))
    assert policy.propose(waiting).plan_of != 5


def test_the_sampler_names_the_plan_on_the_trial(world: SimpleNamespace) -> None:
    space = {"style": ("a", "b", "c"), "bpm": (90, 120, 150)}
    distributions = world.distributions(space)
    study = optuna.create_study(
        direction="maximize", sampler=TopKSampler(space, seed=1, explore=6, ahead=0, replay_plans=True)
    )
    replayed = []
    for number in range(30):
        trial = study.ask(distributions)
        source = trial.user_attrs.get("plan_of")
        if source is None:
            trial.set_user_attr("plan", f"plans/{number:04d}.txt")
        else:
            replayed.append(source)
            assert {name: trial.params[name] for name in space} == {
                name: study.trials[source].params[name] for name in space
            }
        trial.set_user_attr("timings", {"render": 60.0 if source is None else 20.0, "score": 1.0})
        study.tell(trial, 3.0 + 2.0 * ((number if source is None else source) == 3))
    assert replayed and set(replayed) == {3}

"""TopKSampler in anybody's study: Optuna's own suites, resuming, batches and odd grids."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, SingleOnlySamplerTestCase
from optuna.trial import TrialState

from optimizer.errors import UsageError
from optimizer.samplers import Observation, TopKSampler, build, derive_seed
from optimizer.samplers.grid import Grid
from optimizer.samplers.observation import History
from optimizer.samplers.policy import Policy
from optimizer.search_space import Range


# Optuna's suite asks every sampler for every distribution, whatever it was given.
@pytest.mark.filterwarnings("ignore:parameter 'x':UserWarning")
class TestOptunaSuite(BasicSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TopKSampler({"x": (0, 1, 2), "style": ("a", "b")}, seed=0)


def topk(world: SimpleNamespace, several: bool = False, **more: Any) -> TopKSampler:
    space, subspaces = (world.ten, world.ten_subspaces) if several else (world.one, None)
    made = build("topk", search_space=space, subspaces=subspaces, **{"seed": 5, "n_trials": 30, **more})
    assert isinstance(made, TopKSampler)
    return made


@settings(max_examples=12, deadline=None)
@given(disorder=st.integers(0, 10**6), kills=st.sampled_from([0.0, 0.2, 0.6]), ahead=st.sampled_from([0, 1, 4]))
def test_killed_and_resumed_it_proposes_the_same_whatever_order_songs_finish_in(
    world: SimpleNamespace, disorder: int, kills: float, ahead: int
) -> None:
    def fails(number: int) -> bool:
        return number in (2, 9)

    make = lambda: topk(world, ahead=ahead, n_trials=20)  # noqa: E731
    plain = world.run(make, world.one, 22, ahead=ahead, fails=fails)
    broken = world.run(make, world.one, 22, ahead=ahead, disorder=disorder, kills=kills, fails=fails)
    assert world.recipes(plain) == world.recipes(broken)


def test_several_genres_resume_exactly_too(world: SimpleNamespace) -> None:
    make = lambda: topk(world, True, ahead=0, n_trials=34)  # noqa: E731
    plain = world.run(make, world.ten, 34)
    broken = world.run(make, world.ten, 34, disorder=3, kills=0.4)
    assert world.recipes(plain) == world.recipes(broken)


def test_an_adopted_trial_keeps_its_proposal_though_others_finished_meanwhile(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=1, n_trials=40))
    distributions = world.distributions(world.one)
    for _ in range(8):
        trial = study.ask(distributions)
        study.tell(trial, world.score(trial.params, trial.number))
    orphan = study.ask()
    style = orphan._suggest("style", distributions["style"])
    for _ in range(6):
        trial = study.ask(distributions)
        study.tell(trial, world.score(trial.params, trial.number))
    study.sampler = TopKSampler(world.one, seed=1, n_trials=40)
    adopted = optuna.trial.Trial(study, orphan._trial_id)
    params = {name: adopted._suggest(name, distribution) for name, distribution in distributions.items()}
    stored = study.trials[8].system_attrs["banger:proposal"]["params"]
    assert params["style"] == style
    assert {name: params[name] for name in stored} == stored


def test_the_seed_is_a_function_of_study_seed_and_number(world: SimpleNamespace) -> None:
    study = world.run(lambda: topk(world, ahead=0), world.one, 6)
    assert [trial.params["seed"] for trial in study.trials] == [derive_seed(5, number) for number in range(6)]
    assert derive_seed(5, 1) == 1372123162


def test_scores_of_the_last_trials_are_not_read_when_songs_are_made_ahead(world: SimpleNamespace) -> None:
    def after(scores: list[float]) -> dict[str, Any]:
        study = optuna.create_study(direction="maximize", sampler=topk(world, ahead=2, explore=3))
        for score in scores:
            study.tell(study.ask(world.distributions(world.one)), score)
        return dict(study.ask(world.distributions(world.one)).params)

    base = [3.0, 3.5, 2.5, 4.0, 3.1, 3.2, 3.0, 3.3]
    assert after(base) == after([*base[:6], 9.0, 0.5])
    assert after(base) != after([*base[:5], 9.9, *base[6:]])


def test_the_policy_without_storage_proposes_what_the_sampler_does(world: SimpleNamespace) -> None:
    for several, songs in ((False, 30), (True, 30)):
        study = world.run(
            lambda several=several: topk(world, several, ahead=0), world.ten if several else world.one, songs
        )
        policy = topk(world, several).policy
        heard: list[Observation] = []
        for trial in study.trials:
            proposal = policy.next(History(trial.number, tuple(heard)))
            assert proposal.params == {name: value for name, value in trial.params.items() if name != "seed"}
            assert proposal.phase == trial.user_attrs["phase"]
            assert trial.value is not None
            heard.append(Observation(trial.params, trial.value, trial.number))


@pytest.mark.parametrize("batch", [1, 4, 10])
def test_batches_in_flight_do_not_pile_up(world: SimpleNamespace, batch: int) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=2, n_trials=60))
    distributions = world.distributions(world.one)
    for _ in range(-(-12 // batch)):
        trials = [study.ask(distributions) for _ in range(batch)]
        for trial in reversed(trials):
            study.tell(trial, world.score(trial.params, trial.number))
    last = [tuple(trial.params[name] for name in world.one) for trial in study.trials[-batch:]]
    assert len(set(last)) >= (batch + 1) // 2
    assert len({tuple(trial.params[name] for name in world.one) for trial in study.trials}) >= 9
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


def test_running_trials_of_other_workers_count_as_pending(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=2, n_trials=60))
    distributions = world.distributions(world.one)
    for number in range(12):
        study.tell(study.ask(distributions), 3.0 + 0.1 * (number % 4))
    first, second = study.ask(distributions), study.ask(distributions)
    assert [first.params[name] for name in world.one] != [second.params[name] for name in world.one]


@pytest.mark.parametrize(
    "space",
    [
        {"style": ("only",)},
        {"style": ("only",), "bpm": (120,), "key": ("C major",), "language": ("en",)},
        {"style": tuple(range(20)), "bpm": tuple(range(80, 180, 5)), "key": tuple(range(25))},
        {"style": ("a", "b"), "bpm": Range(80, 180, 1), "key": ("C major", "G major")},
        {"style": ("a", "b"), "bpm": Range(90, 90, 1)},
        {"bpm": Range(60, 1200, 2)},
    ],
    ids=["one value", "one point", "10,000 points", "range", "empty range", "long range"],
)
def test_grids_of_any_size(world: SimpleNamespace, space: dict[str, Any]) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=3, n_trials=16))
    for _ in range(16):
        trial = study.ask(world.distributions(space))
        study.tell(trial, world.score(trial.params, trial.number))
        assert set(trial.params) == {*space, "seed"}
        assert trial.user_attrs["phase"] in ("sweep", "refine")


@pytest.mark.parametrize("score", [lambda n: 3.0, lambda n: 0.0, lambda n: 1e9 * (n % 3), lambda n: -1e-9 * n])
def test_equal_scores_and_scores_of_any_scale(world: SimpleNamespace, score: Callable[[int], float]) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=4, n_trials=24))
    for number in range(24):
        study.tell(study.ask(world.distributions(world.one)), score(number))
    assert len({trial.params["style"] for trial in study.trials}) == 4


def test_scale_and_offset_of_the_scores_do_not_matter(world: SimpleNamespace) -> None:
    def run(change: Callable[[float], float]) -> list[Any]:
        study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=4, n_trials=24))
        for _ in range(20):
            trial = study.ask(world.distributions(world.one))
            study.tell(trial, change(world.score(trial.params, trial.number)))
        return [trial.params for trial in study.trials]

    assert run(lambda score: score) == run(lambda score: 1000 * score - 40)


def test_a_study_that_minimises_is_searched_for_low_values(world: SimpleNamespace) -> None:
    def run(direction: str, sign: float) -> list[Any]:
        study = optuna.create_study(direction=direction, sampler=TopKSampler(world.one, seed=4, n_trials=24))
        for _ in range(18):
            trial = study.ask(world.distributions(world.one))
            study.tell(trial, sign * world.score(trial.params, trial.number))
        return [trial.params for trial in study.trials]

    assert run("maximize", 1.0) == run("minimize", -1.0)


def test_it_finds_the_style_that_is_better(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=6, n_trials=40))
    for _ in range(40):
        trial = study.ask(world.distributions(world.one))
        study.tell(trial, world.score({"style": "same"}, trial.number) + 0.8 * (trial.params["style"] == "techno"))
    late = [trial.params["style"] for trial in study.trials[20:]]
    assert late.count("techno") >= 15


def test_failed_recipes_are_not_asked_again_and_again(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=topk(world, ahead=0, n_trials=60))
    distributions = world.distributions(world.one)
    broken = []
    for number in range(40):
        trial = study.ask(distributions)
        if number >= 8 and trial.params["style"] == "bass" and trial.params["key"] == world.one["key"][0]:
            broken.append(tuple(trial.params[name] for name in world.one))
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 5.0 if trial.params["style"] == "bass" else 3.0 + 0.01 * number)
    assert broken
    assert len(broken) == len(set(broken))


def test_infinite_scores_and_pruned_trials_are_not_songs(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=topk(world, ahead=0, explore=4))
    distributions = world.distributions(world.one)
    for value in (3.0, float("inf"), 3.5, 3.2, 3.1, 3.6):
        study.tell(study.ask(distributions), value)
    study.tell(study.ask(distributions), state=TrialState.PRUNED)
    assert study.ask(distributions).user_attrs["phase"] == "refine"


def test_parameters_it_never_heard_of_are_drawn_at_random_but_the_same_on_resume(world: SimpleNamespace) -> None:
    space = {**world.distributions({"style": ("a", "b")}), "mood": CategoricalDistribution(("calm", "wild"))}
    space |= {"swing": FloatDistribution(0, 1), "bars": IntDistribution(8, 32, step=8)}

    def run() -> list[Any]:
        study = optuna.create_study(direction="maximize", sampler=TopKSampler({"style": ("a", "b")}, seed=3))
        for number in range(12):
            study.tell(study.ask(space), float(number))
        return [trial.params for trial in study.trials]

    found = run()
    assert found == run()
    assert len({params["swing"] for params in found}) == 12
    assert {params["mood"] for params in found} == {"calm", "wild"}


def test_a_value_the_objective_does_not_offer_is_drawn_from_what_it_offers() -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler({"bpm": (100, 120)}, seed=3))
    for _ in range(4):
        with pytest.warns(
            UserWarning, match="'bpm': the proposed value 1.0 is not among those .*high=140.* teach nothing"
        ):
            study.optimize(lambda trial: float(trial.suggest_int("bpm", 130, 140)), n_trials=1)
    assert all(130 <= trial.params["bpm"] <= 140 for trial in study.trials)


def test_suggesting_numbers_as_numbers_works() -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler({"bpm": (100, 120, 140)}, seed=3))
    study.optimize(lambda trial: float(trial.suggest_int("bpm", 60, 200)), n_trials=6)
    assert {trial.params["bpm"] for trial in study.trials} <= {100, 120, 140}


def test_enqueued_values_are_kept_and_the_rest_fits_them(world: SimpleNamespace) -> None:
    study = optuna.create_study(direction="maximize", sampler=topk(world, True, ahead=0))
    for style in ("genre3/1", "genre7/0"):
        study.enqueue_trial({"style": style})
    for _ in range(2):
        trial = study.ask(world.distributions(world.ten))
        own = world.ten_subspaces[trial.params["style"].split("/")[0]]
        assert all(trial.params[name] in own[name] for name in own)
        study.tell(trial, 3.0)


def test_only_points_that_exist_are_proposed(world: SimpleNamespace) -> None:
    study = world.run(lambda: topk(world, True, ahead=0, n_trials=45), world.ten, 45)
    for trial in study.trials:
        own = world.ten_subspaces[trial.params["genre"]]
        assert all(trial.params[name] in own[name] for name in own)


def test_genres_are_read_from_the_styles_where_nobody_says_them() -> None:
    sampler = TopKSampler(
        {"genre": ("edm", "pop"), "style": ("edm/house", "edm/bass", "pop/dance"), "bpm": (1, 2)}, seed=0
    )
    assert [block.size for block in sampler.policy.grid.blocks] == [4, 2]


def test_per_genre_spreads_the_songs_evenly(world: SimpleNamespace) -> None:
    study = world.run(lambda: topk(world, True, ahead=0, n_trials=40, per_genre=True), world.ten, 40)
    genres = [trial.params["genre"] for trial in study.trials]
    assert {genres.count(genre) for genre in world.ten_subspaces} == {4}


def test_best_songs_and_good_averages_are_different_goals(world: SimpleNamespace) -> None:
    def loud_genre_share(goal: str) -> int:
        policy = topk(world, True, goal=goal, n_trials=45).policy
        heard: list[Observation] = []
        for number in range(45):
            params = policy.next(History(number, tuple(heard))).params
            loud = params["genre"] == "genre1"
            noise = world.score({"style": "same"}, number) - 3.2
            value = 3.0 + 3.0 * noise if loud else 3.4 + 0.3 * noise
            heard.append(Observation(params, value, number))
        return sum(one.params["genre"] == "genre1" for one in heard)

    assert loud_genre_share("best") > loud_genre_share("average")


def test_songs_of_earlier_studies_count_as_observations(world: SimpleNamespace) -> None:
    prior = [
        Observation({**point, "seed": 1}, 3.0 + 1.5 * (point["style"] == "deep"), -1)
        for point in (Grid(world.one).blocks[0].point(index) for index in range(0, 200, 7))
    ]
    policy = Policy(Grid(world.one), 1, 30, explore=0, prior=prior)
    proposals = [policy.propose(History(number)).params["style"] for number in range(4)]
    assert set(proposals) == {"deep"}


def test_songs_of_earlier_studies_count_in_the_direction_of_the_study(world: SimpleNamespace) -> None:
    def run(direction: str, sign: float) -> list[Any]:
        points = (Grid(world.one).blocks[0].point(index) for index in range(0, 200, 7))
        prior = [Observation(point, sign * (3.0 + 1.5 * (point["style"] == "deep")), -1) for point in points]
        sampler = TopKSampler(world.one, seed=4, n_trials=24, explore=0, prior=prior)
        study = optuna.create_study(direction=direction, sampler=sampler)
        for _ in range(4):
            trial = study.ask(world.distributions(world.one))
            study.tell(trial, sign * world.score(trial.params, trial.number))
        return [trial.params for trial in study.trials]

    found = run("minimize", -1.0)
    assert found == run("maximize", 1.0)
    assert found[0]["style"] == "deep"


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), None])
def test_earlier_songs_without_a_score_are_refused(world: SimpleNamespace, value: Any) -> None:
    prior = [Observation({"style": "deep"}, 3.0), Observation({"style": "deep"}, value)]
    with pytest.raises(UsageError, match=rf"prior\[1\] has the score {value}.*finite") as caught:
        TopKSampler(world.one, seed=1, prior=prior)
    assert caught.value.next_step


def test_songs_outside_the_grid_are_left_out(world: SimpleNamespace) -> None:
    policy = Policy(Grid(world.one), 1, 30, explore=0)
    strange = [Observation({"style": "polka", "bpm": 99}, 9.0, 0), Observation({"style": ["a"]}, 1.0, 1)]
    assert policy.propose(History(2, strange)).params == policy.propose(History(2)).params


def test_no_warning_reaches_the_user(world: SimpleNamespace) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        world.run(lambda: topk(world, ahead=0), world.one, 8)


def test_a_parameter_the_objective_need_not_ask_for_hides_nothing() -> None:
    space = {"bpm": [80, 100, 120], "key": list("CDE"), "language": ["en", "pa"], "meter": ["4/4"]}

    def objective(trial: optuna.Trial) -> float:
        bpm = trial.suggest_categorical("bpm", space["bpm"])
        key = trial.suggest_categorical("key", space["key"])
        if key == "C":
            trial.suggest_categorical("language", space["language"])
        return -abs(float(str(bpm)) - 100) / 10 - (key != "D")

    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=1, n_trials=30))
    study.optimize(objective, n_trials=30)
    assert len({(trial.params["bpm"], trial.params["key"]) for trial in study.trials[:5]}) == 5
    assert sum(trial.params["bpm"] == 100 and trial.params["key"] == "D" for trial in study.trials[-10:]) >= 8


def test_songs_that_the_grid_does_not_know_are_no_sweep() -> None:
    space = {"bpm": [80, 100, 120], "key": list("CDE")}
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=1))
    known = {"bpm": CategoricalDistribution([80, 100, 120]), "key": CategoricalDistribution(list("CDE"))}
    for _ in range(30):
        study.add_trial(optuna.trial.create_trial(params={"bpm": 80}, distributions={"bpm": known["bpm"]}, value=1.0))
    phases = []
    for _ in range(4):
        trial = study.ask(known)
        phases.append(trial.user_attrs["phase"])
        study.tell(trial, 1.0)
    assert phases == ["sweep", "sweep", "sweep", "refine"]


@pytest.mark.parametrize("genres", [[1, 2, 3], [1.5, 2.5, 3.5], [True, False]])
def test_genres_that_are_no_names_are_learned_of(genres: list[Any]) -> None:
    space = {"genre": genres, "style": list("abcd")}
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(space, seed=1))

    def objective(trial: optuna.Trial) -> float:
        params = {name: trial.suggest_categorical(name, values) for name, values in space.items()}
        return float(params["genre"] == genres[1]) + float(params["style"] == "b")

    study.optimize(objective, n_trials=40)
    assert sum(trial.params == {"genre": genres[1], "style": "b"} for trial in study.trials[-10:]) >= 6


def test_a_genre_of_none_is_refused() -> None:
    with pytest.raises(UsageError, match="genre None is not usable: a genre must be a name or a number"):
        TopKSampler({"genre": [None, "x"], "style": ["a", "b"]}, seed=1)


@pytest.mark.parametrize(
    "attributes",
    [{"timings": [1.0, 2.0]}, {"timings": 3.5}, {"timings": "0:03"}, {"plan_of": [1]}, {"plan_of": {"a": 1}}],
)
def test_attributes_of_others_that_are_named_like_ours_do_no_harm(attributes: dict[str, Any]) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler({"style": ["a", "b"]}, seed=1, explore=1))
    for number in range(4):
        trial = study.ask({"style": CategoricalDistribution(["a", "b"])})
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        study.tell(trial, float(number))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-10, 1e100])
def test_the_smallest_and_largest_scores_are_searched_like_others(world: SimpleNamespace, scale: float) -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler(world.one, seed=4, n_trials=40))
    styles = world.one["style"]
    for _ in range(40):
        trial = study.ask(world.distributions(world.one))
        study.tell(trial, scale * float(trial.params["style"] == styles[1]))
    assert sum(trial.params["style"] == styles[1] for trial in study.trials[-15:]) >= 13


def test_scores_that_are_none_are_failures() -> None:
    study = optuna.create_study(direction="maximize", sampler=TopKSampler({"style": list("abcd")}, seed=4, explore=2))
    for number in range(20):
        trial = study.ask({"style": CategoricalDistribution(list("abcd"))})
        bad = trial.params["style"] in "cd"
        study.tell(trial, (-1) ** number * sys.float_info.max if bad else 3.0)
    assert sum(trial.params["style"] in "cd" for trial in study.trials[-10:]) <= 2


def test_numbers_of_numpy_and_distributions_of_choices_are_a_space(tmp_path: Path) -> None:
    space = {"bpm": np.array([80, 100, 120]), "style": CategoricalDistribution(["a", "b"])}
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(direction="maximize", storage=storage, sampler=TopKSampler(space, seed=1))
    study.optimize(
        lambda trial: float(trial.suggest_int("bpm", 60, 140)) + len(trial.suggest_categorical("style", ["a", "b"])),
        n_trials=3,
    )
    assert {trial.params["bpm"] for trial in study.trials} == {80, 100, 120}


@pytest.mark.parametrize("values", ["en", b"en"])
def test_a_string_is_no_list_of_its_letters(values: Any) -> None:
    with pytest.raises(UsageError, match=r"'language' has the values b?'en': they must be a list"):
        TopKSampler({"language": values}, seed=1)

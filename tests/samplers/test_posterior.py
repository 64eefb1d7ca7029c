"""What is concluded from songs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.errors import UsageError
from optimizer.samplers import Observation, Posterior
from optimizer.samplers.grid import Grid

SPACE = {"style": ("a", "b", "c", "d"), "bpm": (90, 100, 120, 140, 150), "key": tuple("CDEFG"), "language": ("en",)}
STYLES = {"a": 0.5, "b": 0.1, "c": -0.2, "d": -0.4}


def songs(count: int, noise: float = 0.4, effect: float = 1.0, seed: int = 0) -> list[Observation]:
    random = np.random.default_rng(seed)
    block = Grid(SPACE).blocks[0]
    found = []
    for number in range(count):
        point = block.point(int(random.integers(block.size)))
        score = 3.0 + effect * STYLES[point["style"]] + noise * random.standard_normal()
        found.append(Observation(point, float(score), number))
    return found


def test_effects_are_recovered_within_their_intervals() -> None:
    inside = []
    for seed in range(10):
        found = Posterior.from_trials(songs(60, seed=seed), SPACE).effects()
        for one in found:
            truth = STYLES.get(one.value, 0.0) if one.parameter == "style" else 0.0
            inside.append(one.estimate.low <= truth <= one.estimate.high)
        assert [one.parameter for one in found] == ["style"] * 4 + ["bpm"] * 5 + ["key"] * 5
        assert sum(one.songs for one in found if one.parameter == "key") == 60
    assert 0.80 < np.mean(inside) <= 1.0


def test_noise_and_its_share() -> None:
    loud = Posterior.from_trials(songs(80, noise=0.8, effect=0.2), SPACE)
    quiet = Posterior.from_trials(songs(80, noise=0.1), SPACE)
    assert loud.noise_share().mean > 0.7 > 0.3 > quiet.noise_share().mean
    assert loud.noise()[None] == pytest.approx(0.8, rel=0.2)


def test_a_lucky_song_is_shrunken_and_its_recipe_more_so() -> None:
    heard = songs(40)
    best = max(heard, key=lambda one: one.value)
    posterior = Posterior.from_trials(heard, SPACE)
    expected, own = posterior.expected(best.params), posterior.shrunken(best)
    assert expected is not None and own is not None
    assert expected < own < best.value


def test_recipes_outside_the_grid_have_no_expectation() -> None:
    posterior = Posterior.from_trials(songs(5), SPACE)
    assert posterior.expected({"style": "polka"}) is None
    assert posterior.shrunken(Observation({"style": "polka"}, 3.0)) is None


def test_the_favourite_becomes_certain_with_evidence() -> None:
    block = Grid(SPACE).blocks[0]
    few = Posterior.from_trials(songs(20), SPACE).favourite()
    top = {"style": "a", "bpm": 100, "key": "D", "language": "en"}
    random = np.random.default_rng(1)
    many = []
    for number in range(500):
        point = block.point(number % 100)
        many.append(Observation(point, float(3.0 + (point == top) + 0.2 * random.standard_normal()), number))
    sure = Posterior.from_trials(many, SPACE).favourite()
    assert few.probability < 0.6
    assert sure.params == top and sure.songs == 5 and sure.probability > 0.95
    assert sure.expected.low < sure.expected.mean < sure.expected.high


def test_the_gain_of_more_songs_grows_with_them_and_shrinks_with_those_there_are() -> None:
    posterior = Posterior.from_trials(songs(20), SPACE)
    assert 0.0 < posterior.expected_gain(5) < posterior.expected_gain(60)
    late = Posterior.from_trials(songs(400), SPACE)
    assert late.expected_gain(30) < posterior.expected_gain(30)
    assert posterior.expected_gain(30) == Posterior.from_trials(songs(20), SPACE).expected_gain(30)


def test_the_expected_gain_is_about_what_happens() -> None:
    from optimizer.samplers.observation import History
    from optimizer.samplers.policy import Policy

    promised, got = [], []
    for seed in range(8):
        random = np.random.default_rng(100 + seed)
        policy = Policy(Grid(SPACE), seed, 40)
        heard: list[Observation] = []
        while len(heard) < 40:
            if len(heard) == 15:
                before = float(np.mean(sorted(one.value for one in heard)[-5:]))
                promised.append(Posterior(policy.grid, heard).expected_gain(25))
            params = policy.next(History(len(heard), heard)).params
            score = 3.0 + STYLES[params["style"]] + 0.5 * random.standard_normal()
            heard.append(Observation(params, float(score), len(heard)))
        got.append(float(np.mean(sorted(one.value for one in heard)[-5:])) - before)
    assert np.mean(promised) == pytest.approx(np.mean(got), abs=0.15)


def test_genres_are_compared() -> None:
    spaces = {name: {"genre": (name,), "style": (f"{name}/a", f"{name}/b")} for name in ("edm", "folk")}
    union = {"genre": ("edm", "folk"), "style": ("edm/a", "edm/b", "folk/a", "folk/b")}
    random = np.random.default_rng(0)
    heard = [
        Observation({"genre": name, "style": f"{name}/a"}, 3.0 + (name == "edm") + 0.2 * random.normal(), number)
        for number, name in enumerate(["edm", "folk"] * 12)
    ]
    effects = Posterior.from_trials(heard, union, spaces).effects()
    genres = {one.value: one.estimate for one in effects if one.parameter == "genre"}
    assert genres["edm"].low > 0 > genres["folk"].high
    assert genres["edm"].mean == pytest.approx(0.5, abs=0.2)


def test_nothing_heard() -> None:
    posterior = Posterior.from_trials([], SPACE)
    assert np.isnan(posterior.expected_gain(5))
    assert len(posterior.effects()) == 14


@pytest.mark.parametrize("where", ["observations", "prior"])
def test_a_score_that_is_no_number_is_refused(where: str) -> None:
    heard = [*songs(1), Observation({"style": "a"}, float("nan"))]
    given = {"observations": [], "prior": [], where: heard}
    with pytest.raises(UsageError, match=rf"{where}\[1\] has the score nan") as caught:
        Posterior(Grid(SPACE), **given)
    assert caught.value.next_step


def test_luck_is_a_smaller_part_of_what_lies_between_genres_than_of_what_lies_within_one() -> None:
    random = np.random.default_rng(0)
    spaces = {genre: {**SPACE, "style": tuple(STYLES)} for genre in ("low", "high")}
    found = []
    for number in range(60):
        genre = ("low", "high")[number % 2]
        params = {name: values[int(random.integers(len(values)))] for name, values in SPACE.items()} | {"genre": genre}
        score = 3.0 + 2.0 * (genre == "high") + 0.3 * random.standard_normal()
        found.append(Observation(params, float(score), number, genre=genre))
    joint = Posterior.from_trials(found, {"genre": ("low", "high"), **SPACE}, spaces)
    within, overall = joint.noise_share(), joint.noise_share_overall()
    assert within.mean > 0.5
    # In truth 0.09 beside the 1 of two genres 2 apart; the first guess of the noise, worth four songs, is larger.
    assert 0.09 / 1.09 < overall.mean < 0.16
    assert 0.05 < overall.low < overall.mean < overall.high < 0.2


def test_in_one_genre_both_shares_of_luck_are_the_same() -> None:
    alone = Posterior.from_trials(songs(20), SPACE)
    assert alone.noise_share_overall().mean == pytest.approx(alone.noise_share().mean)


def test_no_gain_is_promised_for_more_best_songs_than_there_are() -> None:
    posterior = Posterior.from_trials(songs(8), SPACE)
    assert posterior.expected_gain(10, 50) == posterior.expected_gain(10, 8) > 0.0

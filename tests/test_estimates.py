"""Expected and shrunken scores beside the raw ones, and what earlier studies may lend."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from optimizer.errors import UsageError
from optimizer.estimates import observations_of, posterior_of, with_estimates
from optimizer.prior import PRIOR_FILE, Prior, digest, from_json
from optimizer.prior import to_json as prior_to_json
from optimizer.search_space.frozen import to_json
from optimizer.song import Record
from optimizer.warmstart import gather


@pytest.fixture
def record(small_space, make_song, tmp_path):
    """A run of twelve songs in which one style is better by two points."""
    points = list(small_space.points())
    songs = []
    for number in range(12):
        point = points[(number * 7) % len(points)]
        value = 5.0 if point["style"] == "style-a" else 3.0
        recipe = small_space.recipe(point, seed=number, duration=8.0)
        songs.append(make_song(number, value + 0.1 * (number % 3), recipe, study="test"))
    (tmp_path / "space.json").write_text(to_json(small_space))
    return Record("test", tmp_path, {"scorer": {"name": "acoustic", "revision": "1"}}, tuple(songs))


def test_estimates_pull_scores_towards_what_the_others_say(record):
    filled = with_estimates(record)
    means = {True: [], False: []}
    for song in filled.songs:
        means[song.recipe.style == "style-a"].append(song.expected)
        low, high = sorted((song.value, song.expected))
        assert low <= song.shrunken <= high
    assert min(means[True]) > max(means[False])


def test_a_run_without_its_space_keeps_its_raw_scores(record):
    (record.folder / "space.json").unlink()
    assert with_estimates(record) == record


def test_songs_of_one_plan_are_known_as_such(record, small_space):
    song = dataclasses.replace(record.songs[3], plan="plans/0003.txt", plan_of=1)
    first = dataclasses.replace(record.songs[1], plan="plans/0001.txt")
    assert [one.plan for one in observations_of([first, song], small_space)] == [1, 1]
    assert [one.plan for one in observations_of([first, song], small_space, own=False)] == ["test/1", "test/1"]
    assert observations_of([record.songs[0]], small_space)[0].plan is None


def test_earlier_songs_are_taken_if_they_were_judged_alike(record, small_space):
    scorer = SimpleNamespace(text="acoustic", identity={"name": "acoustic", "revision": "1", "window": None})
    prior = gather([record], small_space, scorer, 8.0, [])
    assert len(prior.observations) == 12
    assert prior.model() is None
    assert all(one.number == -1 for one in prior.observations)
    assert from_json(prior_to_json(prior)) == prior
    assert digest(prior) == digest(from_json(prior_to_json(prior)))
    best = posterior_of([], small_space, prior).favourite()
    assert best.params["style"] == "style-a"


def test_what_the_search_began_with_counts_in_its_estimates(record, small_space):
    few = dataclasses.replace(record, songs=record.songs[:2])
    alone = [song.expected for song in with_estimates(few).songs]
    prior = Prior(tuple(observations_of(record.songs[2:], small_space, own=False)))
    (record.folder / PRIOR_FILE).write_text(prior_to_json(prior))
    beside = [song.expected for song in with_estimates(few).songs]
    posterior = posterior_of(few.songs, small_space, prior)
    points = [small_space.point(song.recipe) for song in few.songs]
    assert beside == [posterior.expected(point) for point in points] != alone


def test_sizes_learned_from_other_genres_count_in_a_posterior(record, small_space):
    other = Prior((), ((small_space, tuple(observations_of(record.songs, small_space, own=False))),))
    alone, beside = (posterior_of(record.songs[:4], small_space, prior) for prior in (None, other))
    assert alone.noise() != beside.noise()
    assert alone.expected_gain(10) != beside.expected_gain(10)


def test_earlier_songs_of_another_judge_are_refused_with_the_difference(record, small_space):
    scorer = SimpleNamespace(text="banger", identity={"name": "acoustic", "revision": "2"})
    with pytest.raises(UsageError, match="revision: test has 1, this run 2"):
        gather([record], small_space, scorer, 8.0, [])
    imported = dataclasses.replace(record, identity={"scorer": {"declared": "banger"}})
    assert len(gather([imported], small_space, scorer, 8.0, []).observations) == 12
    scorer.text = "tunejury"
    with pytest.raises(UsageError, match="'banger'"):
        gather([imported], small_space, scorer, 8.0, [])


def test_other_genres_lend_sizes_and_noise_alone(record, small_space):
    other = dataclasses.replace(small_space.genres[0], id="another")
    space = type(small_space)("another", (other,))
    scorer = SimpleNamespace(text="acoustic", identity={"name": "acoustic", "revision": "1"})
    prior = gather([record], space, scorer, 8.0, [])
    assert prior.observations == ()
    assert prior.model().learned
    assert from_json(prior_to_json(prior)).model() == prior.model()
    assert digest(prior) != digest(Prior())


def test_an_empty_study_lends_nothing(record, small_space):
    scorer = SimpleNamespace(text="acoustic", identity={"name": "acoustic", "revision": "1"})
    with pytest.raises(UsageError, match="no songs yet"):
        gather([dataclasses.replace(record, songs=())], small_space, scorer, 8.0, [])


def test_damaged_earlier_songs_are_an_error():
    with pytest.raises(UsageError, match="damaged"):
        from_json(json.dumps([{"nonsense": 1}]))

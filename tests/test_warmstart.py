"""What earlier songs lend to a search: takes of its own, one count for each song, and what is refused."""

from __future__ import annotations

import pytest

from optimizer.intake import make_study
from optimizer.runs import RunDirectory
from optimizer.samplers import derive_seed
from optimizer.search_space import load_genre
from optimizer.session import Options, begin, open_session

SCORER = "acoustic"


@pytest.fixture
def songs_of(make_song):
    """Return a function that makes songs of a genre, as the search of seed 0 numbers its takes."""

    def make(genre, count, duration=1.5, seed=0):
        space = load_genre(genre)
        points = list(space.points())
        return [
            make_song(
                number,
                3.0 + number % 5 / 4,
                space.recipe(points[number * 7 % len(points)], seed=derive_seed(seed, number), duration=duration),
                study=genre,
                audio=None,
                sha256="",
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def study_of(songs_of, tmp_path):
    """Return a function that makes a study of such songs."""

    def make(name="bhangra", genre="bhangra", count=12, scored_by=SCORER, **options):
        run = RunDirectory(tmp_path / name)
        make_study(run, songs_of(genre, count, **options), scored_by=scored_by, source="made up")
        return name

    return make


def session_of(folder, study="new", genre="bhangra", **options):
    options = {"duration": 1.5, "renderer": "synth", "scorer": SCORER, **options}
    return open_session(Options(genre=genre, study=study, runs_dir=folder, **options))


def started(session):
    session.run.create()
    with session.run.lock():
        begin(session)
    return session


def asked(session, count=3):
    """Return the first recipes that a session's study asks for."""
    with session.run.lock():
        study = session.open_study(30)
        recipes = [study.ask().recipe for _ in range(count)]
        study.close()
    return recipes


@pytest.mark.parametrize("seed", [None, 0])
def test_no_take_of_the_prior_is_made_again(tmp_path, study_of, songs_of, seed):
    session = started(session_of(tmp_path, prior=(study_of(),), seed=seed))
    takes = [recipe.seed for recipe in asked(session)]
    assert not {song.recipe.seed for song in songs_of("bhangra", 12)} & set(takes)
    resumed = session_of(tmp_path)
    assert (resumed.resumed, resumed.study_seed) == (True, session.study_seed)
    assert takes == [derive_seed(session.study_seed, number) for number in range(3)]


def test_seeds_and_earlier_songs_both_decide_the_takes(tmp_path, study_of):
    few, many = study_of("few"), study_of("many", count=13)
    seeds = [session_of(tmp_path, prior=(name,), seed=seed).study_seed for name in (few, many) for seed in (0, 1)]
    assert len(set(seeds)) == 4
    assert session_of(tmp_path, "alone", seed=1).study_seed == 1
    assert session_of(tmp_path, "beside", "edm", prior=(few,), seed=1).study_seed == 1


def test_twenty_earlier_songs_of_each_genre_are_sweep_enough(tmp_path, study_of):
    enough = study_of("enough", count=20)
    explored = {
        count: session_of(tmp_path, f"new-{count}", prior=(name,)).explore
        for count, name in ((19, study_of("few", count=19)), (20, enough))
    }
    assert explored == {19: None, 20: 0}
    assert session_of(tmp_path, "asked", prior=(enough,), explore=3).explore == 3
    assert session_of(tmp_path, "all", "all", prior=(enough,)).explore is None
    session = started(session_of(tmp_path, "new-20", prior=(enough,)))
    with session.run.lock():
        study = session.open_study(30)
        assert (study.explore, study.ask().phase) == (0, "refine")
        study.close()

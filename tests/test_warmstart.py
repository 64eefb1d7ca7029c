"""What earlier songs lend to a search: takes of its own, one count for each song, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from optimizer.errors import UsageError
from optimizer.intake import make_study
from optimizer.opening import begin, open_session
from optimizer.options import Options
from optimizer.runs import RunDirectory
from optimizer.samplers import derive_seed
from optimizer.search_space import load_genre

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


def test_a_study_given_twice_counts_once(tmp_path, study_of):
    name = study_of()
    (tmp_path / "link").symlink_to(tmp_path / name)
    once = session_of(tmp_path, prior=(name,))
    spellings = (name, f"{tmp_path}/./{name}", str(tmp_path / "link"), "link")
    session = session_of(tmp_path, prior=spellings)
    assert session.prior == once.prior
    assert len(session.prior.observations) == 12
    assert sum("12 of 12 songs of study 'bhangra'" in note for note in session.notes) == 3
    assert not any("count once" in note for note in once.notes)


def test_a_song_of_two_studies_counts_once(tmp_path, study_of, songs_of):
    study_of("first"), study_of("second", count=15)
    shutil.copytree(tmp_path / "first", tmp_path / "copied")
    session = session_of(tmp_path, prior=("first", "copied", "second"))
    assert len(session.prior.observations) == 15
    assert any("12 of 12 songs of study 'first'" in note for note in session.notes)
    assert any("12 of 15 songs of study 'second'" in note for note in session.notes)
    songs = [
        dataclasses.replace(song, sha256=f"{number % 4}" * 64) for number, song in enumerate(songs_of("bhangra", 6))
    ]
    make_study(RunDirectory(tmp_path / "same-audio"), songs, scored_by=SCORER, source="made up")
    assert len(session_of(tmp_path, prior=("same-audio",)).prior.observations) == 4


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_another_sampler_cannot_begin_with_earlier_songs(tmp_path, study_of, sampler):
    with pytest.raises(UsageError, match=f"--prior bhangra and --sampler {sampler}"):
        session_of(tmp_path, prior=(study_of(),), sampler=sampler)
    assert not (tmp_path / "new").exists()


def test_songs_of_another_length_are_refused(tmp_path, study_of):
    name = study_of(duration=30.0)
    with pytest.raises(UsageError, match=r"'bhangra' are 30 s long, this run's 1\.5 s") as caught:
        session_of(tmp_path, prior=(name,))
    assert "--duration 30" in caught.value.next_step
    # A table may say how long the file turned out.
    assert session_of(tmp_path, prior=(study_of("measured", duration=29.98),), duration=30.0).prior


def test_what_another_genre_lends_is_said(tmp_path, study_of):
    enough, few = study_of("enough", "edm", 10), study_of("few", "rock", 9)
    session = session_of(tmp_path, prior=(enough, few))
    assert any("10 songs of study 'enough'" in note and "(edm): only the sizes" in note for note in session.notes)
    assert any("9 songs of study 'few'" in note and "nothing is learned" in note for note in session.notes)
    assert not any("another genre" in note for note in session_of(tmp_path, "edm", "edm", prior=(enough,)).notes)


def test_what_a_search_began_with_is_kept_as_it_was(tmp_path, study_of):
    session = started(session_of(tmp_path, prior=(study_of(),)))
    shutil.rmtree(tmp_path / "bhangra")
    assert session_of(tmp_path).prior == session.prior
    kept = json.loads((session.run.folder / "prior.json").read_text())
    assert len(kept["observations"]) == 12

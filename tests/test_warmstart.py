"""What earlier songs lend to a search: takes of its own, one count for each song, and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sqlite3

import pytest

from optimizer.errors import IncompatibleResume, UsageError
from optimizer.estimates import observations_of
from optimizer.intake import make_study
from optimizer.opening import begin, open_session
from optimizer.options import Options
from optimizer.prior import PRIOR_FILE, Prior, digest
from optimizer.prior import to_json as prior_to_json
from optimizer.runs import RunDirectory
from optimizer.samplers import Grid, derive_seed
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

    def make(name="bhangra", genre="bhangra", count=12, scored_by=SCORER, changes=None, **options):
        run = RunDirectory(tmp_path / name)
        songs = songs_of(genre, count, **options)
        for number, fields in (changes or {}).items():
            songs[number] = dataclasses.replace(
                songs[number], recipe=dataclasses.replace(songs[number].recipe, **fields)
            )
        make_study(run, songs, scored_by=scored_by, source="made up")
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


def test_what_a_search_begins_with_is_said(tmp_path, study_of):
    first, second = study_of("first"), study_of("second", count=1, seed=5)
    notes = session_of(tmp_path, prior=(first, second)).notes
    assert "Beginning with 12 songs of study 'first'." in notes
    assert "Beginning with 1 song of study 'second'." in notes
    session = started(session_of(tmp_path, prior=(first,)))
    assert session.run.read_identity()["prior"] == {"first": 12}
    assert not any("Beginning" in note for note in session_of(tmp_path).notes)


def test_songs_that_are_no_point_of_the_space_are_left_out_and_counted(tmp_path, study_of):
    odd = {1: {"bpm": 61}, 2: {"bpm": 61}, 5: {"key": "F# major"}, 7: {"caption": "a caption nobody wrote"}}
    session = session_of(tmp_path, prior=(study_of(changes=odd),))
    grid = Grid(session.space.parameters())
    assert len(session.prior.observations) == 8
    assert all(grid.find(one.params) for one in session.prior.observations)
    [note] = [note for note in session.notes if "left out" in note]
    assert note.startswith("4 of 12 songs of study 'bhangra' are left out")
    assert "BPM 61 (2 songs), key F# major (1 song), style " in note
    assert "'a caption nobody wrote'" in note
    assert "Beginning with 8 songs of study 'bhangra'." in session.notes


def test_a_style_known_by_a_short_form_of_its_caption_is_the_same(tmp_path, study_of, songs_of):
    style = next(one for one in load_genre("bhangra").genres[0].styles if one.aliases)
    number = next(song.number for song in songs_of("bhangra", 12) if song.recipe.style == style.id)
    name = study_of(changes={number: {"caption": style.aliases[0]}})
    assert len(session_of(tmp_path, prior=(name,)).prior.observations) == 12


def test_earlier_songs_of_which_none_fits_are_refused(tmp_path, study_of):
    name = study_of(count=2, changes={0: {"bpm": 61}, 1: {"bpm": 63}})
    with pytest.raises(UsageError, match=r"2 of 2 songs .* left out.*BPM 61 \(1 song\), BPM 63"):
        session_of(tmp_path, prior=(name,))
    assert not (tmp_path / "new").exists()


def test_the_order_of_earlier_studies_does_not_matter(tmp_path, study_of):
    first, second = study_of("first"), study_of("second", count=15, seed=3)
    session = started(session_of(tmp_path, prior=(second, first)))
    other = session_of(tmp_path, "other", prior=(first, second))
    assert (other.prior, other.study_seed) == (session.prior, session.study_seed)
    assert session_of(tmp_path, prior=(first, second)).resumed


def older(session, songs):
    """Have a run begin with `songs` as they are, as older versions did."""
    session.prior = Prior(tuple(observations_of(songs, session.space, own=False)))
    return started(session)


def test_a_run_that_keeps_its_earlier_songs_in_another_order_goes_on(tmp_path, study_of, songs_of):
    session = older(session_of(tmp_path), songs_of("bhangra", 12)[::-1])
    resumed = session_of(tmp_path, prior=(study_of(),))
    assert digest(resumed.prior) == digest(session.prior) == session.run.read_identity()["search"]["prior"]


def test_a_run_that_began_with_songs_that_do_not_fit_goes_on_with_them(tmp_path, study_of, songs_of):
    songs = songs_of("bhangra", 12)
    songs[3] = dataclasses.replace(songs[3], recipe=dataclasses.replace(songs[3].recipe, bpm=61))
    session = older(session_of(tmp_path), songs)
    resumed = session_of(tmp_path, prior=(study_of(changes={3: {"bpm": 61}}),))
    assert resumed.prior == session.prior
    assert len(resumed.prior.observations) == 12


def test_other_earlier_songs_than_the_runs_are_refused_in_words(tmp_path, study_of):
    few, many, alike = study_of("few"), study_of("many", count=13), study_of("alike", changes={0: {"bpm": 125}})
    started(session_of(tmp_path, prior=(few,)))
    with pytest.raises(IncompatibleResume) as caught:
        session_of(tmp_path, prior=(many,))
    assert caught.value.message == (
        "run 'new' began with 12 earlier songs (12 of few), and --prior many now gives 13 earlier songs (13 of many)."
    )
    assert "Leave --prior out" in caught.value.next_step
    with pytest.raises(IncompatibleResume, match=r"12 earlier songs \(12 of alike\), which are not the same\."):
        session_of(tmp_path, prior=(alike,))
    started(session_of(tmp_path, "without"))
    with pytest.raises(IncompatibleResume, match="run 'without' began with no earlier songs"):
        session_of(tmp_path, "without", prior=(few,))


@pytest.mark.parametrize("text", [None, prior_to_json(Prior())])
def test_a_run_without_the_songs_it_began_with_does_not_go_on(tmp_path, study_of, text):
    path = started(session_of(tmp_path, prior=(study_of(),))).run.folder / PRIOR_FILE
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"prior\.json\) are missing or were changed") as caught:
        session_of(tmp_path)
    assert "Restore prior.json" in caught.value.next_step


def test_an_earlier_study_without_its_database_is_said_to_lack_it(tmp_path, study_of):
    (tmp_path / study_of() / "study.db").unlink()
    with pytest.raises(UsageError, match=r"bhangra/study\.db is missing"):
        session_of(tmp_path, prior=("bhangra",))


def test_an_earlier_study_is_read_from_where_it_is_stored(tmp_path, study_of):
    run = RunDirectory(tmp_path / study_of())
    with contextlib.closing(sqlite3.connect(run.database)) as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "elsewhere.db")])
    run.database.unlink()
    identity = run.read_identity()
    identity["options"]["storage"] = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    run.write_identity(identity)
    assert len(session_of(tmp_path, prior=("bhangra",)).prior.observations) == 12
    (tmp_path / "elsewhere.db").unlink()
    with pytest.raises(UsageError, match=r"elsewhere\.db is missing: the songs of study 'bhangra'"):
        session_of(tmp_path, prior=("bhangra",))
    assert not (tmp_path / "elsewhere.db").exists()

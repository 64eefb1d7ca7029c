"""What the tables say of songs: the same columns under the same names everywhere, and of no songs the next step."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from optimizer import verifying
from optimizer.cli import best, optimize, show, studies, verify
from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.intake import make_study
from optimizer.opening import begin, open_session
from optimizer.options import Options
from optimizer.runs import RunDirectory
from optimizer.search_space import load_genre
from optimizer.selection import RANKINGS
from optimizer.study import read_record
from optimizer.verifying import Verdict


@pytest.fixture
def record(tmp_path, make_song):
    """A study whose best song has a recipe that did badly before, and the songs' estimates."""
    space = load_genre("edm")
    points = list(space.points())[::11]
    takes = [(0, 5.0), (0, 2.0), (0, 2.25), (1, 4.0), (1, 3.75), (2, 3.0)]
    songs = [
        make_song(number, value, space.recipe(points[point], seed=number, duration=30.0), study="one")
        for number, (point, value) in enumerate(takes)
    ]
    make_study(RunDirectory(tmp_path / "one"), songs, scored_by="acoustic", source="made up")
    return read_record(RunDirectory(tmp_path / "one"))


@pytest.fixture
def empty(tmp_path):
    """The folder of runs with one that has no songs."""
    session = open_session(Options(genre="edm", runs_dir=tmp_path, renderer="synth", scorer="acoustic", duration=1.5))
    session.run.create()
    with session.run.lock():
        begin(session)
        session.open_study(3).close()
    return tmp_path


def heading(text):
    return next(line for line in text.splitlines() if "shrunken" in line or "fresh takes" in line)


def row(text, song):
    """Return the numbers of a song's row."""
    line = next(line for line in text.splitlines() if line.split()[:2] == [str(song.number), f"{song.value:.2f}"])
    return [float(word) for word in line.split()[1:4]]


def test_best_by_expected_is_the_song_whose_recipe_promises_most(record, capsys):
    folder = record.folder.parent
    assert max(record.songs, key=lambda song: song.value).number == 0
    found = {}
    for by in RANKINGS:
        best.best(["one"], top=3, by=by, runs_dir=folder, json_=True)
        found[by] = json.loads(capsys.readouterr().out)["songs"]
    assert found["score"][0]["number"] == 0
    # Of the two takes of the recipe the one that is worth more itself.
    assert found["expected"][0]["number"] == 3
    for by, songs in found.items():
        values = [song[by] for song in songs]
        assert values == sorted(values, reverse=True)


def test_every_table_has_score_expected_and_shrunken_in_that_order(record, capsys):
    folder, song = record.folder.parent, record.songs[0]
    numbers = [round(value, 2) for value in (song.value, song.expected, song.shrunken)]
    best.best(["one"], top=3, runs_dir=folder, json_=False)
    said = capsys.readouterr().out
    assert heading(said).split()[:4] == ["trial", *RANKINGS] and row(said, song) == numbers
    optimize.report(record, as_json=False, target=6, ended="songs", reason=None)
    said = capsys.readouterr().out
    assert heading(said).split()[:4] == ["trial", *RANKINGS] and row(said, song) == numbers
    studies.studies(folder, json_=False)
    said = capsys.readouterr().out
    assert "best score  expected  shrunken" in heading(said)
    assert [float(word) for word in said.splitlines()[-1].split()[5:8]] == numbers
    studies.studies(folder, json_=True)
    document = json.loads(capsys.readouterr().out)[0]
    assert [document[name] for name in ("best_number", "best", "best_expected", "best_shrunken")] == [
        0,
        song.value,
        song.expected,
        song.shrunken,
    ]
    show.show("one", 0, folder, json_=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [words[0] for words in lines[1:4]] == list(RANKINGS)
    assert [float(words[1]) for words in lines[1:4]] == numbers


def test_what_verify_holds_against_fresh_takes_is_named_as_elsewhere(record, monkeypatch, capsys):
    song = record.songs[0]
    monkeypatch.setattr("optimizer.opening.reopen", lambda *given, **settings: None)
    monkeypatch.setattr(verifying, "verify", lambda *given, **settings: [Verdict(song, song.expected, (3.0, 4.0))])
    verify.verify("one", runs_dir=record.folder.parent, json_=False)
    said = capsys.readouterr().out
    assert "score  expected  fresh takes (90 %)" in heading(said)
    assert f"{song.value:.2f}" in said and f"{song.expected:.2f}" in said


@pytest.mark.parametrize(
    "words",
    [
        *(["best", "edm"], ["export", "edm"], ["verify", "edm"], ["explain", "edm"], ["show", "edm", "0"]),
        ["rescore", "edm", "--scorer", "acoustic"],
    ],
)
def test_a_run_without_songs_gets_the_command_that_makes_some(empty, words):
    error = CliRunner().invoke(app, [*words, "--runs-dir", str(empty)]).exception
    assert isinstance(error, UsageError)
    assert error.next_step == f"Make some: optimize --study edm --runs-dir {empty} --more 10"


def test_a_song_that_is_not_there_is_looked_for_where_the_others_are(record):
    with pytest.raises(UsageError, match="there are 6 songs, numbered 0 to 5") as caught:
        show.song_of(record, 9)
    assert caught.value.next_step == f"See `optimize best one --runs-dir {record.folder.parent}`."


def test_a_run_is_named_without_its_folder_where_it_is_looked_for(record, monkeypatch):
    monkeypatch.chdir(record.folder.parent)
    with pytest.raises(UsageError) as caught:
        show.song_of(replace(record, folder=record.folder.parent / "runs" / "one"), 9)
    assert caught.value.next_step == "See `optimize best one`."


@pytest.mark.parametrize("text", ["{bad", "[]", "null", '{"scorer": 1}', '{"scorer": {}, "score": null}'])
def test_a_take_whose_file_says_nothing_is_made_again(tmp_path, text):
    (tmp_path / "take.json").write_text(text)
    assert verifying._known(tmp_path / "take.json", SimpleNamespace(scorer=SimpleNamespace(identity={}))) is None

"""`optimize explain` on songs that were never rendered."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from optimizer.cli.explain import explain
from optimizer.cli.main import app
from optimizer.intake import make_study
from optimizer.prior import PRIOR_FILE, Prior, to_json
from optimizer.runs import RunDirectory
from optimizer.samplers import Observation, Posterior
from optimizer.search_space import load_genre


@pytest.fixture
def run(tmp_path, make_song):
    """A study of two songs of each of ten genres, all about as good."""
    space = load_genre("all")
    songs = []
    for genre in space.genres:
        points = list(load_genre(genre.id).points())[::17][:2]
        for point in points:
            number = len(songs)
            recipe = load_genre(genre.id).recipe(point, seed=number, duration=30.0)
            songs.append(make_song(number, 3.0 + number % 5 / 4, recipe, study="many"))
    make_study(RunDirectory(tmp_path / "many"), songs, scored_by="acoustic", source="made up")
    return RunDirectory(tmp_path / "many")


@pytest.fixture
def study_of(tmp_path, make_song):
    """Return a function that makes a study of one genre with the scores given."""

    def make(*values):
        points = list(load_genre("edm").points())[::7]
        songs = [
            make_song(number, value, load_genre("edm").recipe(point, seed=number, duration=30.0), study="one")
            for number, (value, point) in enumerate(zip(values, points, strict=False))
        ]
        make_study(RunDirectory(tmp_path / "one"), songs, scored_by="acoustic", source="made up")
        return tmp_path

    return make


def test_luck_within_a_genre_is_not_said_to_be_luck_between_all_songs(run, study_of, capsys):
    explain("many", more=1, runs_dir=run.folder.parent, json_=True)
    document = json.loads(capsys.readouterr().out)
    within, overall = document["noise_share"]["mean"], document["noise_share_overall"]["mean"]
    assert 0.0 < overall < within < 1.0
    explain("many", more=1, runs_dir=run.folder.parent, json_=False)
    said = " ".join(capsys.readouterr().out.split())
    assert f"Luck of the draw: {within:.0%} (" in said
    assert "of the variance between songs within a genre, " in said
    assert f"within a genre, {overall:.0%} (" in said
    assert "of that between songs of all genres, their differences included." in said
    folder = study_of(3.0, 4.0, 3.5)
    explain("one", more=1, runs_dir=folder, json_=False)
    assert "of the variance between songs.\n" in capsys.readouterr().out


def test_no_more_best_songs_are_spoken_of_than_there_are(study_of, capsys):
    folder = study_of(3.0, 4.0, 3.5)
    explain("one", more=2, top=50, runs_dir=folder, json_=False)
    assert "mean of the best 3 (now all of them) by" in capsys.readouterr().out
    explain("one", more=2, top=50, runs_dir=folder, json_=True)
    gain = json.loads(capsys.readouterr().out)["expected_gain"]
    assert (gain["songs"], gain["top"]) == (2, 3)
    explain("one", more=2, top=2, runs_dir=folder, json_=False)
    assert "mean of the best 2 by" in capsys.readouterr().out


def test_more_songs_than_can_be_imagined_are_refused_at_once(study_of, monkeypatch):
    folder = study_of(3.0, 4.0, 3.5)
    monkeypatch.setattr(Posterior, "expected_gain", lambda *given: 0.25)
    for more, code in ((1000, 0), (1001, 2), (100_000, 2)):
        done = CliRunner().invoke(app, ["explain", "one", "--runs-dir", str(folder), "--more", str(more)])
        assert done.exit_code == code
        assert code == 0 or (str(more) in done.stderr and "less than or equal to 1000" in done.stderr)


def test_nothing_is_told_from_scores_that_are_all_the_same(study_of, capsys):
    folder = study_of(5.0, 5.0, 5.0, 5.0)
    explain("one", more=1, runs_dir=folder, json_=False)
    said = capsys.readouterr().out
    assert said.startswith("All 4 songs score 5.00: nothing can be told")
    assert "%" not in said and "optimize rescore one --runs-dir" in said
    explain("one", more=1, runs_dir=folder, json_=True)
    document = json.loads(capsys.readouterr().out)
    assert document["noise_share"] is document["favourite"] is document["expected_gain"]["points"] is None
    assert document["effects"] == []


def test_earlier_songs_that_differ_do_tell_something(study_of, capsys):
    folder = study_of(5.0, 5.0)
    earlier = Observation(next(iter(load_genre("edm").points())), 4.0)
    (folder / "one" / PRIOR_FILE).write_text(to_json(Prior((earlier,))))
    explain("one", more=1, runs_dir=folder, json_=False)
    assert "Luck of the draw" in capsys.readouterr().out


def test_what_is_possible_is_not_said_to_have_no_probability(run, capsys):
    explain("many", more=1, top=5, runs_dir=run.folder.parent, json_=False)
    said = capsys.readouterr().out
    assert "the best one with probability under 1 %." in said.replace("\n", " ")
    assert "--prior" not in said


def test_what_the_search_began_with_is_counted(run, capsys):
    earlier = Observation(next(iter(load_genre("all").points())), 4.0)
    (run.folder / PRIOR_FILE).write_text(to_json(Prior((earlier,) * 3)))
    explain("many", more=1, top=5, runs_dir=run.folder.parent, json_=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["songs"], document["prior_songs"]) == (20, 3)
    assert sum(effect["songs"] for effect in document["effects"] if effect["parameter"] == "genre") == 23

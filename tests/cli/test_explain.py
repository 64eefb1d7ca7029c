"""`optimize explain` on songs that were never rendered."""

from __future__ import annotations

import json

import pytest

from optimizer.cli.explain import explain
from optimizer.intake import make_study
from optimizer.prior import PRIOR_FILE, Prior, to_json
from optimizer.runs import RunDirectory
from optimizer.samplers import Observation
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

"""When a search ends before its number of songs: by the gain still expected, by time; and what repeating it does."""

from __future__ import annotations

import json

import pytest

from optimizer.cli import optimize, studies
from optimizer.opening import begin, open_session
from optimizer.options import Options
from optimizer.study import read_record


@pytest.fixture
def run_of(tmp_path):
    """Return a function that makes a run of songs that were told a score and never rendered."""

    def make(songs, target=None, spent=0.0):
        session = open_session(
            Options(genre="edm", runs_dir=tmp_path, renderer="synth", scorer="acoustic", duration=1.5)
        )
        session.run.create()
        with session.run.lock():
            begin(session)
            study = session.open_study(songs)
            for _ in range(songs):
                number = study.ask().number
                study.tell(number, 3.0 + number % 7 / 10)
            study.target = target
            study.spent = spent
            study.close()
        return session

    return make


def again(session, **options):
    options = Options(study=session.run.folder.name, runs_dir=session.run.folder.parent, **options)
    optimize.search(options, progress="plain", as_json=True)


def test_a_search_that_stopped_for_its_gain_stops_at_once_and_says_why(run_of, capsys):
    session = run_of(12)
    reasons = []
    for _ in range(2):
        again(session, trials=40, until_gain=9.0)
        out, err = capsys.readouterr()
        assert json.loads(out)["songs"] == 12
        reasons.append([line for line in err.splitlines() if "--until-gain 9" in line])
    assert reasons[0] == reasons[1]
    assert reasons[0][0].startswith("After 10 songs, 30 more are expected to lift")


def test_a_gain_is_looked_at_every_fifth_song_whoever_looks(run_of):
    session = run_of(9)
    assert optimize.gain_is_small(session, 9.0)() is None
    assert optimize.gain_is_small(session, None) is None
    with session.run.lock():
        study = session.open_study(40)
        looks, reasons = optimize.gain_is_small(session, 0.0), {}
        for songs in range(10, 16):
            study.tell(study.ask().number, 3.0)
            assert looks() is None
            if songs in (10, 14, 15):
                reasons[songs] = optimize.gain_is_small(session, 9.0)()
        study.close()
    # From 10 to 14 songs the look is at the first ten.
    assert reasons[10] == reasons[14]
    assert reasons[10].startswith("After 10 songs")
    assert reasons[15].startswith("After 15 songs")


def test_a_budget_that_was_spent_is_spent(run_of, capsys, tmp_path):
    session = run_of(3, target=2, spent=90.0)
    again(session, budget_minutes=1.5)
    out, err = capsys.readouterr()
    assert json.loads(out)["songs"] == 3
    assert "The search has taken 1.5 minutes, and its budget is 1.5" in err
    assert read_record(session.run).target is None
    studies.studies(tmp_path, json_=False)
    assert " of " not in capsys.readouterr().out.splitlines()[-1]


def test_no_total_is_shown_that_was_passed(run_of, capsys, tmp_path):
    run_of(3, target=2)
    studies.studies(tmp_path, json_=False)
    assert " of " not in capsys.readouterr().out.splitlines()[-1]


def test_the_command_that_goes_on_has_the_same_end(tmp_path):
    options = {"runs_dir": tmp_path, "renderer": "synth", "scorer": "acoustic"}
    session = open_session(Options(genre="edm", budget_minutes=90.5, until_gain=0.05, **options))
    assert optimize.resume_command(session).endswith("--budget-minutes 90.5 --until-gain 0.05")

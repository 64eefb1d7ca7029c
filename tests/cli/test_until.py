"""When a search ends before its number of songs: by the gain still expected, by time; and what repeating it does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from optimizer.cli import ending, optimize, studies
from optimizer.errors import Interrupted, NoSongs
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
    assert ending.UntilGain(session, 9.0)() is None
    with session.run.lock():
        study = session.open_study(40)
        looks, reasons = ending.UntilGain(session, 0.0), {}
        for songs in range(10, 16):
            study.tell(study.ask().number, 3.0)
            assert looks() is None
            if songs in (10, 14, 15):
                reasons[songs] = ending.UntilGain(session, 9.0)()
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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget_minutes": 90.5, "until_gain": 0.05}, "--budget-minutes 90.5 --until-gain 0.05"),
        ({"trials": 40, "until_gain": 0.05}, "--trials 40 --until-gain 0.05"),
        ({"more": 7}, "--more 7"),
        ({"sandbox": "off"}, "--sandbox off"),
    ],
)
def test_the_command_that_goes_on_has_the_same_end(tmp_path, options, words):
    fixed = {"runs_dir": tmp_path, "renderer": "synth", "scorer": "acoustic"}
    session = open_session(Options(genre="edm", **fixed, **options))
    assert optimize.resume_command(session).endswith(f"--runs-dir {tmp_path} {words}")


class Told(Exception):
    """Ends a search where its loop would begin."""


@pytest.fixture
def asked_of(monkeypatch):
    """Return a function that gives what a search would ask of its loop, and of its sampler."""

    def ask(session, **options):
        def search(self, study, budget, display, stops):
            raise Told(budget, study.optuna_study.sampler.policy.n_trials, display.trials)

        monkeypatch.setattr(type(session), "search", search)
        with pytest.raises(Told) as caught:
            again(session, **options)
        return caught.value.args

    return ask


def test_a_search_until_a_gain_is_not_ended_by_a_number_nobody_gave(run_of, asked_of):
    session = run_of(12, target=12)
    for _ in range(2):
        budget, n_trials, shown = asked_of(session, until_gain=0.001)
        assert (budget.trials, budget.counted, n_trials, shown) == (ending.MOST, False, None, None)
        assert read_record(session.run).target is None
    budget, n_trials, shown = asked_of(session, until_gain=0.001, budget_minutes=5)
    assert (budget.trials, budget.seconds, budget.counted, n_trials, shown) == (ending.NO_END, 300, False, None, None)
    for given in ({"trials": 40}, {"more": 28}):
        budget, n_trials, shown = asked_of(session, until_gain=0.001, **given)
        assert (budget.trials, budget.counted, n_trials, shown) == (40, True, 40, 40)
    budget, n_trials, _ = asked_of(session)
    assert (budget.trials, budget.counted, n_trials) == (40, True, 40)


def test_a_gain_that_is_not_reached_is_said(run_of, capsys):
    session = run_of(12)
    said = []
    for options in ({"trials": 12}, {"trials": 12}, {"budget_minutes": 1e-9}):
        again(session, until_gain=1e-6, **options)
        out, err = capsys.readouterr()
        document = json.loads(out)
        said.append(err.splitlines()[-1])
        assert document["reason"] == said[-1]
        assert (document["ended"], document["target"]) == (("songs", 12) if "trials" in options else ("time", None))
    assert said[0] == said[1]
    assert said[0].startswith("--until-gain 1e-06 is not reached: after 10 songs, 30 more still promise 0.")
    assert said[0].endswith("; --more N goes on.")
    assert said[2].endswith(said[0])
    again(session, until_gain=9.0, trials=12)
    assert json.loads(capsys.readouterr().out)["reason"].startswith("After 10 songs, 30 more are expected to lift")


def test_the_document_says_what_ended_the_search(run_of, capsys):
    session = run_of(12)
    ends = []
    for options in ({"trials": 40, "until_gain": 9.0}, {"until_gain": 9.0}, {"trials": 12}):
        again(session, **options)
        document = json.loads(capsys.readouterr().out)
        ends.append((document["ended"], document["target"], document["reason"] is None))
    assert ends == [("gain", 40, False), ("gain", None, False), ("songs", 12, True)]


def test_a_gain_alone_ends_at_some_number_and_says_so(run_of, capsys, monkeypatch):
    session = run_of(12)
    monkeypatch.setattr(ending, "MOST", 12)
    again(session, until_gain=1e-6)
    out, err = capsys.readouterr()
    assert (json.loads(out)["ended"], json.loads(out)["target"]) == ("songs", None)
    assert "There are 12 songs, the most that --until-gain makes by itself. --until-gain 1e-06 is not reached" in err


def test_nothing_is_said_of_a_gain_that_was_not_looked_at_but_that(run_of, capsys):
    again(run_of(4), until_gain=0.1, trials=4)
    assert json.loads(capsys.readouterr().out)["reason"] == (
        "--until-gain 0.1 was not looked at: it believes nothing before 10 songs; --more N goes on."
    )


def test_a_budget_too_small_for_one_song_is_an_error_that_names_it(run_of):
    with pytest.raises(NoSongs, match=r"budget of 0\.001 minutes .* 0\.5 s went into loading") as caught:
        again(run_of(0, spent=0.5), budget_minutes=0.001)
    assert caught.value.exit_code == 5
    assert "--trials 1" in caught.value.next_step


def test_ctrl_c_before_the_loop_says_how_to_go_on(run_of, monkeypatch):
    session = run_of(2)

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(session), "open_study", interrupt)
        with pytest.raises(Interrupted) as caught:
            again(session, more=3)
    assert caught.value.next_step.startswith("Go on with: optimize --study edm --runs-dir")
    assert caught.value.next_step.endswith("--trials 5")
    monkeypatch.setattr("optimizer.opening.open_session", interrupt)
    with pytest.raises(Interrupted) as caught:
        again(session)
    assert "The same command" in caught.value.next_step


@pytest.mark.parametrize(("workers", "words"), [(1, "After 15 songs"), (8, "After 10 songs")])
def test_songs_that_were_in_flight_do_not_change_why_a_search_ended(run_of, workers, words):
    session = run_of(15)
    session.options = replace(session.options, workers=workers)
    with session.run.lock():
        assert ending.UntilGain(session, 9.0)().startswith(words)


def test_a_gain_that_ended_the_search_is_the_reason_though_songs_in_flight_reached_its_number(tmp_path, capsys):
    options = Options(
        genre="edm", runs_dir=tmp_path, renderer="synth", scorer="acoustic", duration=1.0, workers=2, trials=11,
        until_gain=100.0,
    )  # fmt: skip
    optimize.search(options, progress="plain", as_json=True)
    out, err = capsys.readouterr()
    assert "After 10 songs, 30 more are expected" in err
    assert "not reached" not in err
    assert json.loads(out)["songs"] in (10, 11)

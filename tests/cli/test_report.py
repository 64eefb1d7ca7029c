"""The verbs report, listen, votes and dashboard on a run that was never rendered."""

from __future__ import annotations

import csv
import json

import optuna
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.listening import ListeningTest, Side, Vote, VoteFile
from optimizer.runs import RunDirectory
from optimizer.study import open_storage


@pytest.fixture
def runs(tmp_path, make_recipe, write_audio):
    for name in ("one", "two"):
        run = RunDirectory(tmp_path / name)
        run.create()
        run.write_identity({"study": name, "renderer": {"name": "synth"}, "scorer": {"name": "acoustic"}})
        study = optuna.create_study(study_name=name, storage=open_storage(run.database), direction="maximize")
        for number in range(3):
            trial = study.ask()
            write_audio(run.song(number), 0.5, 8000, seed=number)
            trial.set_user_attr("recipe", make_recipe(bpm=100 + number, seed=number).to_dict())
            trial.set_user_attr("audio", f"songs/{number:04d}.flac")
            trial.set_user_attr("sha256", f"{name}{number}")
            trial.set_user_attr("parts", {"pulse": 1.0 - number})
            study.tell(trial, 3.0 + number)
    return tmp_path


def call(*arguments, runs):
    result = CliRunner().invoke(app, [*map(str, arguments), "--runs-dir", str(runs)])
    if isinstance(result.exception, SystemExit) or result.exception is None:
        return result
    raise result.exception


def test_report_is_written_into_the_run(runs):
    result = call("report", "one", "--json", runs=runs)
    document = json.loads(result.stdout)
    assert document["file"] == str(runs / "one" / "report.html")
    assert (document["songs"], document["best"]["number"], document["best"]["score"]) == (3, 2, 5.0)
    text = (runs / "one" / "report.html").read_text(encoding="utf-8")
    assert 'src="songs/0002.flac"' in text
    assert "optimize rerender one" in text
    assert "3 songs" in call("report", "one", runs=runs).stdout


def test_several_studies_need_a_file(runs):
    with pytest.raises(UsageError, match="need a file") as caught:
        call("report", "one", "two", runs=runs)
    assert "--out" in caught.value.next_step
    call("report", "one", "two", "--out", runs / "both.html", runs=runs)
    assert (runs / "both.html").is_file()


def test_votes_before_any_says_what_to_do(runs):
    with pytest.raises(UsageError, match="nobody has voted") as caught:
        call("votes", "one", runs=runs)
    assert "optimize listen one" in caught.value.next_step


def test_votes_are_ranked_compared_and_written_as_pairs(runs):
    file = VoteFile(runs / "one" / "votes.jsonl")
    for number in range(3):
        sides = Side("one", (number + 1) % 3, "x"), Side("one", number, "y")
        file.add(Vote(str(number), "me", *sides, "left" if number < 2 else "right", 0.0))
    document = json.loads(call("votes", "one", "--json", runs=runs).stdout)
    assert [song["number"] for song in document["songs"]] == [2, 1, 0]
    shares = {one["name"]: one["share"] for one in document["agreement"]}
    assert (shares["score"], shares["pulse"]) == (1.0, 0.0)
    text = call("votes", "one", "--pairs", runs / "pairs.csv", runs=runs).stdout
    assert "3 votes" in text
    with (runs / "pairs.csv").open(newline="") as rows:
        assert [row["winner"] for row in csv.DictReader(rows)] == ["a", "a", "b"]


def test_listen_prints_an_address_of_this_machine(runs, monkeypatch):
    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr("http.server.ThreadingHTTPServer.serve_forever", stop)
    result = call("listen", "one", "two", "--songs", 4, "--no-open", runs=runs)
    assert result.stdout.startswith("http://127.0.0.1:")
    assert "0 of 3 pairs" in result.stderr


def test_listen_goes_on_with_the_pairs_that_are_left(runs, make_song, make_recipe):
    songs = [
        make_song(n, 3.0, make_recipe(bpm=90 + n), audio=runs / "one" / "songs" / f"000{n}.flac") for n in range(3)
    ]
    path = runs / "one" / "votes.jsonl"
    first = ListeningTest(songs, path)
    first.vote({"ballot": first.ballot()["ballot"], "choice": "tie"})
    assert ListeningTest(songs, path).done() == 1
    assert ListeningTest(songs, path, listener="somebody else").done() == 0


def test_dashboard_without_its_package_is_exit_3(runs, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna_dashboard", None)
    with pytest.raises(MissingPrerequisite, match="optuna-dashboard"):
        call("dashboard", "one", "--no-open", runs=runs)

"""The dashboard: songs as linked artifacts that seek, and nothing on the page reaches the run."""

from __future__ import annotations

import http.client
import json
import sys
import threading

import optuna
import pytest

from optimizer.dashboard import Mirror, serve
from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.runs import RunDirectory
from optimizer.study import open_storage, read_record


@pytest.fixture
def run(tmp_path, make_recipe, write_audio):
    run = RunDirectory(tmp_path / "bhangra")
    run.create()
    run.write_identity({"study": "bhangra"})
    study = optuna.create_study(study_name="bhangra", storage=open_storage(run.database), direction="maximize")
    for number in range(3):
        trial = study.ask()
        write_audio(run.song(number), 0.5, 8000, seed=number)
        trial.set_user_attr("recipe", make_recipe(seed=number).to_dict())
        trial.set_user_attr("audio", f"songs/{number:04d}.flac")
        if number < 2:
            study.tell(trial, 3.0 + number)
    return run


@pytest.fixture
def ask(run):
    server, address = serve(run)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    port = server.server_address[1]
    assert address.startswith(f"http://127.0.0.1:{port}/")

    def ask(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    yield ask
    server.shutdown()
    server.server_close()
    thread.join()


def artifact(ask):
    trials = json.loads(ask("/api/studies/0?after=0")[2])["trials"]
    assert [trial["values"] for trial in trials] == [[3.0], [4.0]]
    (meta,) = trials[0]["artifacts"]
    assert (meta["filename"], meta["mimetype"]) == ("0000.flac", "audio/flac")
    return f"/artifacts/0/{trials[0]['trial_id']}/{meta['artifact_id']}"


def test_songs_play_and_seek(run, ask):
    path, whole = artifact(ask), run.song(0).read_bytes()
    assert ask(path)[2] == whole
    status, headers, content = ask(path, Range="bytes=10-19")
    assert (status, content) == (206, whole[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    assert ask(path, Range="bytes=-5")[2] == whole[-5:]
    assert ask(path, Range=f"bytes={len(whole)}-")[0] == 416
    assert ask("/artifacts/0/0/00000000-0000-0000-0000-000000000000")[0] == 404


def test_deleting_on_the_page_touches_neither_songs_nor_study(run, ask):
    path = artifact(ask)
    before = {file: file.read_bytes() for file in sorted(run.songs.iterdir())}
    assert ask(f"/api{path}", "DELETE")[0] in (204, 500)
    assert ask(path)[0] == 200
    assert ask("/api/studies/0", "DELETE")[0] == 204
    assert {file: file.read_bytes() for file in sorted(run.songs.iterdir())} == before
    assert len(read_record(run).songs) == 2


def test_another_hosts_name_is_refused(ask):
    assert ask("/api/studies", Host="evil.example")[0] == 403


def test_new_songs_appear_in_order(run):
    mirror = Mirror(run)
    assert mirror.refresh() == 0
    study = optuna.load_study(study_name="bhangra", storage=open_storage(run.database))
    later = study.ask()
    later.set_user_attr("audio", "../../outside.flac")
    study.tell(later, state=optuna.trial.TrialState.FAIL)
    assert mirror.refresh() == 0
    study.tell(2, 5.0)
    assert mirror.refresh() == 2
    shown = optuna.load_study(study_name="bhangra", storage=mirror.storage).trials
    # Song 2 is linked; a path that leaves the run is not.
    assert [len(trial.system_attrs) for trial in shown] == [1, 1, 1, 0]


def test_without_the_package_the_command_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(MissingPrerequisite) as caught:
        serve(run)
    assert caught.value.exit_code == 3
    assert "pip install 'banger-optimizer[dashboard]'" in caught.value.next_step


def test_an_empty_run_is_said(tmp_path):
    with pytest.raises(UsageError, match="no songs yet"):
        serve(RunDirectory(tmp_path / "none"))

"""The worker protocol, and every way in which a child can break it, a limit, or itself."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path

import psutil
import pytest

from optimizer.errors import MissingPrerequisite, RenderFailed, SandboxUnavailable, UsageError
from optimizer.sandbox import Limits, Mechanism, select
from optimizer.workers import Worker, python_launch
from optimizer.workers import worker as worker_module


@pytest.fixture(scope="module")
def steady(tmp_path_factory, hostile):
    """One worker for what does not end it."""
    scratch = tmp_path_factory.mktemp("steady") / "scratch"
    scratch.mkdir()
    log = scratch.parent / "worker.log"
    launch = python_launch("engine 'hostile'", f"{hostile}:Hostile", scratch, select("landlock"), log=log)
    worker = Worker(launch)
    worker.start()
    yield worker
    worker.close()


def test_an_answer_comes_back_with_progress_and_plain_numbers(steady, ask):
    steps = []
    assert ask(steady, "honest", on_progress=lambda step, of: steps.append((step, of)))["seed"] == 7
    assert steps == [(1, 2), (2, 2)]
    answer = ask(steady, "numbers")
    assert answer["value"] == 0.5
    assert answer["array"] == [0, 1, 2]
    assert answer["path"].endswith("song.wav")
    assert answer["nothing"] is None


def test_what_load_and_supports_say_is_kept(steady):
    assert steady.info["sample_rate"] == 8000
    assert steady.supports == {"lyrics": "none"}


def test_check_is_passed_on(steady):
    recipes = [{"style": "fit"}, {"style": "unfit"}]
    assert steady.call("check", {"recipes": recipes}, deadline=5.0) == ["unfit"]


def test_an_unknown_call_is_an_engine_failure_and_the_worker_goes_on(steady, ask):
    with pytest.raises(RenderFailed, match="no call 'dance'") as caught:
        steady.call("dance", {}, deadline=5.0)
    assert caught.value.reason == "engine"
    assert ask(steady, "honest")["seed"] == 7


def test_an_exception_is_an_engine_failure_with_its_words(steady, ask):
    with pytest.raises(RenderFailed, match="ValueError: no such chord") as caught:
        ask(steady, "raises")
    assert caught.value.reason == "engine"
    assert steady.alive


def test_output_of_libraries_goes_to_the_log_and_is_never_an_answer(steady, ask):
    assert ask(steady, "chatty")["seed"] == 7
    assert "garbage" in steady.launch.log.read_text(errors="replace")


def test_a_request_larger_than_a_pipe_arrives(steady, ask):
    answer = steady.call("check", {"recipes": [{"style": "x" * 1000}] * 1000}, deadline=10.0)
    assert answer == []


def test_cancel_reaches_the_engine_and_the_worker_goes_on(steady, ask):
    timer = threading.Timer(0.2, steady.cancel)
    timer.start()
    with pytest.raises(RenderFailed) as caught:
        ask(steady, "patient")
    assert caught.value.reason == "cancelled"
    assert steady.alive
    timer.join()


def test_a_log_flood_is_cut_off(start, ask, monkeypatch):
    monkeypatch.setattr(worker_module, "LOG_SIZE", 100_000)
    worker = start()
    ask(worker, "flood-log")
    worker.close()
    assert 100_000 < worker.launch.log.stat().st_size < 101_000
    assert worker.launch.log.read_text().endswith("[the rest of the output was dropped]\n")


def test_a_full_log_is_put_aside_once(start):
    worker = start(load=False)
    worker.launch.log.parent.mkdir()
    worker.launch.log.write_bytes(b"x" * worker_module.LOG_SIZE)
    worker.start()
    worker.close()
    assert worker.launch.log.stat().st_size < 1000
    assert worker.launch.log.with_name(worker.launch.log.name + ".1").stat().st_size == worker_module.LOG_SIZE


ENDS = {
    "exits": ("crash", "ended with status 3"),
    "leaves": ("crash", "ended with status 4"),
    "segfault": ("crash", "SIGSEGV"),
    "garbage": ("protocol", "not JSON"),
    "wrong-id": ("protocol", "another question"),
    "not-an-object": ("protocol", "not an answer"),
    "deep": ("protocol", "not JSON"),
    "huge-number": ("protocol", "not JSON"),
    "huge-line": ("protocol", "bytes"),
    "endless-progress": ("protocol", "progress"),
    "close-pipes": ("protocol", "closed its reply descriptor"),
    "hang": ("hang", "deadline"),
    "hang-deaf": ("hang", "deadline"),
    "stops-itself": ("hang", "deadline"),
    "fork-bomb": ("processes", "processes"),
    "threads": ("processes", ""),
    "allocate": ("memory", "MiB"),
    "allocate-in-children": ("memory", "MiB"),
    "big-file": ("file-size", ""),
    "sparse-file": ("file-size", ""),
    "many-files": ("file-size", "scratch"),
}


@pytest.mark.parametrize("style", ENDS)
def test_each_misdeed_is_contained_with_its_reason(style, start, ask, gone, monkeypatch):
    reason, words = ENDS[style]
    monkeypatch.setattr(worker_module, "MAX_LINE", 1 << 20)
    monkeypatch.setattr(worker_module, "MAX_PROGRESS", 1000)
    monkeypatch.setattr(worker_module, "_GONE", 0.5)
    worker = start(limits=Limits(memory=256 << 20, processes=40, file_size=16 << 20, scratch=64 << 20))
    supervisor = worker.pid
    with pytest.raises(RenderFailed) as caught:
        ask(worker, style, deadline=0.5 if reason == "hang" else 20.0)
    assert caught.value.reason == reason
    assert words in caught.value.message
    worker.close()
    assert gone(supervisor)


@pytest.mark.parametrize("style", ["fork-bomb", "allocate", "hang-deaf", "segfault"])
def test_each_mechanism_ends_the_worst(mechanism, style, start, ask, gone):
    worker = start(mechanism, limits=Limits(memory=256 << 20, processes=40, file_size=16 << 20, scratch=64 << 20))
    family = psutil.Process(worker.pid).children(recursive=True)
    with pytest.raises(RenderFailed) as caught:
        ask(worker, style, deadline=0.5 if style == "hang-deaf" else 20.0)
    assert caught.value.reason == {"fork-bomb": "processes", "allocate": "memory", "hang-deaf": "hang"}.get(
        style, "crash"
    )
    worker.close()
    assert all(gone(process.pid) for process in family)


@pytest.mark.parametrize("namespaces", [("pid", "mount"), ()])
@pytest.mark.parametrize(("style", "reason"), [("many-children", "processes"), ("allocate", "memory")])
def test_without_control_groups_the_supervisor_counts(namespaces, style, reason, start, ask, monkeypatch, tmp_path):
    # No fork bomb here: with nothing but a count to stop it, it would hold up the whole machine first.
    monkeypatch.setattr("optimizer.sandbox.mechanism._import_paths", lambda: _without_cgroups(tmp_path))
    worker = start(Mechanism("landlock", True, True, namespaces), limits=Limits(memory=256 << 20, processes=40))
    assert worker.confined["cgroup"] == []
    with pytest.raises(RenderFailed) as caught:
        ask(worker, style)
    assert caught.value.reason == reason


def _without_cgroups(folder):
    """Import paths under which the launcher finds no control group it could write to."""
    import landlockpy

    import optimizer

    package = Path(optimizer.__file__).parent
    copy = folder / "copy" / "optimizer" / "sandbox"
    if not copy.exists():
        copy.mkdir(parents=True)
        for source in [*package.glob("*.py"), *(package / "sandbox").glob("*.py")]:
            target = folder / "copy" / "optimizer" / source.relative_to(package)
            target.write_text(source.read_text().replace('Path("/sys/fs/cgroup")', 'Path("/nowhere")'))
    return [str(folder / "copy"), str(Path(landlockpy.__file__).parents[1])]


@pytest.fixture(params=["confined", "off"])
def confined_or_not(request, mechanism):
    """Each mechanism, and none: without a filter a grandchild can leave its process group."""
    return mechanism if request.param == "confined" else Mechanism("off")


def test_a_grandchild_dies_with_its_worker(confined_or_not, start, ask):
    worker = start(confined_or_not)
    mark = f"grandchild-{secrets.token_hex(8)}"
    ask(worker, "grandchild", caption=mark)
    until = time.monotonic() + 5.0
    while not (found := _marked(mark)) and time.monotonic() < until:
        time.sleep(0.02)
    assert found
    worker.close()
    assert _marked(mark) == []


def _marked(mark):
    return [each.pid for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]


def test_the_supervisor_survives_a_child_that_kills_all_it_sees(mechanism, start, ask, gone):
    worker = start(mechanism)
    with contextlib.suppress(RenderFailed):
        ask(worker, "kill-parent", deadline=5.0)
    assert psutil.Process(os.getpid()).is_running()
    assert psutil.pid_exists(worker.pid or 0) or not worker.alive
    supervisor = worker.pid
    worker.close()
    assert supervisor is None or gone(supervisor)


def test_kill_from_another_thread_ends_a_call(start, ask):
    worker = start()
    timer = threading.Timer(0.2, worker.kill)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(RenderFailed) as caught:
        ask(worker, "hang")
    assert caught.value.reason == "cancelled"
    assert time.monotonic() - begun < 5.0
    timer.join()


def test_cancel_kills_what_does_not_listen(start, ask):
    worker = start()
    timer = threading.Timer(0.2, worker.cancel, (0.2,))
    timer.start()
    with pytest.raises(RenderFailed) as caught:
        ask(worker, "hang")
    assert caught.value.reason == "cancelled"
    timer.join()


def test_loading_that_never_ends_is_a_missing_prerequisite(start):
    with pytest.raises(MissingPrerequisite, match="deadline"):
        start(config={"at_load": "hang"}, load_deadline=1.0)


def test_loading_that_crashes_is_a_missing_prerequisite_with_the_last_words(start):
    with pytest.raises(MissingPrerequisite, match=r"SIGSEGV.*Segmentation fault"):
        start(config={"at_load": "segfault"})


def test_loading_that_raises_names_the_exception_and_the_log(start):
    with pytest.raises(MissingPrerequisite, match="no such chord") as caught:
        start(config={"at_load": "raises"})
    assert "worker-0.log" in caught.value.next_step


def test_an_error_that_knows_its_exit_code_and_next_step_keeps_them(start):
    with pytest.raises(MissingPrerequisite, match="no weights here") as caught:
        start(config={"at_load": "missing"})
    assert caught.value.next_step == "Run: optimize setup nothing"


@pytest.mark.parametrize(("target", "words"), [("Missing1", "Missing1"), ("BadInit", "not today")])
def test_a_class_that_cannot_be_had_is_a_usage_error(target, words, start):
    with pytest.raises(UsageError, match=words):
        start(target=target)


def test_a_class_without_load_is_a_missing_prerequisite(start):
    with pytest.raises(MissingPrerequisite, match="'load'"):
        start(target="NoLoad")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "needs_much.py").write_text("import surely_not_installed\nclass Engine: pass\n")
    (tmp_path / "scratch").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    launch = python_launch("engine", "needs_much:Engine", tmp_path / "scratch", select("landlock"), load_deadline=20.0)
    with pytest.raises(MissingPrerequisite, match="needs the package 'surely_not_installed'") as caught:
        Worker(launch).start()
    assert "pip install surely_not_installed" in caught.value.next_step


def test_a_module_of_the_working_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "here_alone.py").write_text("class Engine:\n    def load(self, config):\n        return {'here': 1}\n")
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    launch = python_launch("engine", "here_alone:Engine", tmp_path / "scratch", select("landlock"), load_deadline=20.0)
    worker = Worker(launch)
    assert worker.start() == {"here": 1}
    worker.close()


def test_a_sandbox_that_cannot_be_set_up_is_an_error_and_nothing_runs(start, tmp_path):
    with pytest.raises(SandboxUnavailable, match="nothing would stop UDP"):
        start(Mechanism("landlock", landlock=True, seccomp=False))
    assert not (tmp_path / "scratch-0" / "song.wav").exists()


def test_several_workers_run_in_several_threads(start, ask):
    workers = [start(), start()]
    results = []
    threads = [threading.Thread(target=lambda w=w: results.append(ask(w, "honest")["pid"])) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2

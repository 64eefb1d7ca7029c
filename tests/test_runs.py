"""The run directory: names that cannot escape, one writer, whole writes, and an identity that says what differs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import IncompatibleResume, RunLocked, StorageFull, StudyNotFound, UsageError
from optimizer.runs import RunDirectory, find_run, list_runs, slug, write_atomic
from optimizer.study import open_storage


@given(st.text(max_size=80))
def test_a_slug_is_a_plain_folder_name_or_refused(text):
    try:
        name = slug(text)
    except UsageError:
        assert not any(character in "abcdefghijklmnopqrstuvwxyz0123456789" for character in text.lower())
    else:
        assert name == slug(name)
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert not name.startswith("-")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "A", "x y"])
def test_a_study_name_that_is_no_slug_is_refused(tmp_path, name):
    with pytest.raises(UsageError):
        RunDirectory.named(tmp_path, name)


def test_identity_is_written_once_and_compared_field_by_field(tmp_path):
    run = RunDirectory(tmp_path / "bhangra")
    run.create()
    assert not run.exists()
    run.write_identity({"study": "bhangra", "renderer": {"name": "synth", "duration": 30.0}})
    assert run.exists()
    run.check_identity({"renderer": {"name": "synth"}})
    with pytest.raises(IncompatibleResume) as caught:
        run.check_identity({"renderer": {"name": "synth", "duration": 20.0}})
    assert "renderer.duration" in caught.value.message
    assert "30.0" in caught.value.message
    assert "20.0" in caught.value.message
    assert caught.value.exit_code == 2


def test_a_damaged_identity_says_so(tmp_path):
    run = RunDirectory(tmp_path)
    (tmp_path / "run.toml").write_text("study = ")
    with pytest.raises(UsageError, match="damaged"):
        run.read_identity()


def test_one_process_writes_a_run_and_the_lock_goes_with_it(tmp_path):
    run = RunDirectory(tmp_path)
    program = f"""
import sys, time
from pathlib import Path
from optimizer.runs import RunDirectory
with RunDirectory(Path({str(tmp_path)!r})).lock():
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLocked, match=str(holder.pid)), run.lock():
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with run.lock():
        pass


def test_a_stored_path_cannot_leave_the_run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    assert run.inside("songs/0001.flac") == tmp_path / "run" / "songs" / "0001.flac"
    for stored in ("../other/songs/1.flac", "/etc/passwd"):
        with pytest.raises(UsageError, match="outside"):
            run.inside(stored)


def test_an_atomic_write_replaces_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_named_and_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    # The temporary name is predictable within one process, so the full device can stand in for it.
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageFull, match="full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_runs_are_listed_and_found_by_name_or_path(tmp_path):
    for name in ("edm", "bhangra"):
        run = RunDirectory(tmp_path / name)
        run.create()
        run.write_identity({"study": name})
    (tmp_path / "no-run").mkdir()
    assert [run.name for run in list_runs(tmp_path)] == ["bhangra", "edm"]
    assert list_runs(tmp_path / "nowhere") == []
    assert find_run(tmp_path, "edm").folder == tmp_path / "edm"
    assert find_run(tmp_path / "nowhere", str(tmp_path / "edm")).name == "edm"
    with pytest.raises(StudyNotFound, match="Did you mean 'bhangra'"):
        find_run(tmp_path, "bangra")
    with pytest.raises(StudyNotFound):
        find_run(tmp_path, "..")


def test_a_name_that_is_not_there_is_answered_with_a_few_that_are(tmp_path, monkeypatch):
    for number in range(13):
        run = RunDirectory(tmp_path / "runs" / f"run-{number:02d}")
        run.create()
        run.write_identity({"study": run.folder.name})
    with pytest.raises(StudyNotFound, match=r"There are: run-00, .*run-09 and 3 more\.") as caught:
        find_run(tmp_path / "runs", "nothing")
    assert "optimize studies" in caught.value.next_step
    (tmp_path / "runs" / "run-00").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyNotFound) as caught:
        find_run(tmp_path / "runs", "moved")
    assert caught.value.next_step.endswith("say ./moved.")
    assert find_run(tmp_path / "runs", "./moved").exists()


@pytest.mark.parametrize("url", ["foo://host/name", "garbage"])
def test_a_database_url_that_cannot_be_opened_is_refused_in_words(tmp_path, url):
    with pytest.raises(UsageError, match="cannot be opened") as caught:
        open_storage(tmp_path / "study.db", url)
    assert "sqlite:///" in caught.value.next_step

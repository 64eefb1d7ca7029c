"""The processes and files beneath a supervisor: counted, weighed, cleared away."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from optimizer.sandbox import tree


@pytest.fixture
def family():
    """A process with two children, all asleep."""
    script = "import os, time\nfor _ in range(2):\n    if os.fork() == 0: time.sleep(60)\n"
    script += "print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        until = time.monotonic() + 5.0
        while len(tree.descendants(parent.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        yield parent.pid
        for pid in (*tree.descendants(parent.pid), parent.pid):
            os.kill(pid, 9)


def test_descendants_are_found_and_the_search_can_end_early(family):
    assert len(tree.descendants(family)) == 2
    assert family in tree.descendants(os.getpid())
    assert len(tree.descendants(os.getpid(), most=0)) >= 1


def test_descendants_are_found_without_lists_of_children(family, monkeypatch):
    monkeypatch.setattr(tree, "_children", tree._children_by_scan)
    assert len(tree.descendants(family)) == 2


def test_shared_pages_count_once(family):
    processes = [family, *tree.descendants(family)]
    taken = tree.usage(processes)
    assert taken.tasks == 3
    assert 0 < tree.proportional(processes) < taken.resident


def test_what_has_ended_takes_nothing():
    assert tree.usage([2**22 + 1]) == (0, 0)
    assert tree.proportional([2**22 + 1]) == 0


def test_sparse_files_and_links_are_weighed_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/usr")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    assert 100_000 <= tree.disk_usage(str(tmp_path)) < 200_000
    monkeypatch.setattr(tree, "ENTRIES", 2)
    assert tree.disk_usage(str(tmp_path)) == sys.maxsize


def test_clearing_a_folder_follows_no_link(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "box" / "deep" / "er").mkdir(parents=True)
    tree.clear(tmp_path / "box")
    assert list((tmp_path / "box").iterdir()) == []
    assert (tmp_path / "kept" / "file").exists()

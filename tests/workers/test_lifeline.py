"""No way of ending the parent leaves a process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

PARENT = """
    import sys, time
    from pathlib import Path
    from optimizer.sandbox import Mechanism, select
    from optimizer.workers import Worker, python_launch

    mode, hostile, scratch = sys.argv[1:4]
    mechanism = Mechanism("landlock", True, True) if mode == "landlock-alone" else select(mode)
    worker = Worker(python_launch("engine", hostile + ":Hostile", Path(scratch), mechanism, load_deadline=20.0))
    worker.start()
    recipe = {"style": "grandchild", "duration": 0.5, "seed": 1}
    worker.call("render", {"recipe": recipe, "out": scratch + "/song.wav"}, deadline=10.0)
    print(worker.pid, flush=True)
    worker.call("render", {"recipe": {**recipe, "style": "hang-deaf"}, "out": scratch + "/song.wav"}, deadline=600.0)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, "group"])
def test_an_ended_parent_leaves_no_child_and_no_grandchild(mechanism, how, hostile, gone, tmp_path):
    mode = mechanism.name if mechanism.namespaces or mechanism.name == "bwrap" else "landlock-alone"
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), mode, str(hostile), str(tmp_path / "scratch")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    with parent:
        supervisor = int(parent.stdout.readline())
        until = time.monotonic() + 5.0
        while len(family := psutil.Process(supervisor).children(recursive=True)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        family.append(psutil.Process(supervisor))
        assert len(family) >= 3
        if how == "group":
            os.killpg(parent.pid, signal.SIGKILL)
        else:
            parent.send_signal(how)
    assert all(gone(process.pid) for process in family)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not any(folder.name == f"banger-{supervisor}" for folder in _groups())


def _groups():
    from optimizer.sandbox.cgroups import ROOT

    return list(ROOT.glob("**/banger-*"))

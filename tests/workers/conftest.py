"""Workers of hostile engines, under every mechanism that this machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.sandbox.bubblewrap import works
from optimizer.sandbox.mechanism import Mechanism, select
from optimizer.sandbox.policy import Limits
from optimizer.workers import Worker, python_launch

HOSTILE = Path(__file__).with_name("hostile.py")


def mechanisms():
    """Landlock with all namespaces and with none, as on kernels that deny them; bubblewrap where it works."""
    found = {
        "landlock": select("landlock"),
        "landlock-alone": Mechanism("landlock", landlock=True, seccomp=True),
    }
    if works() is None:
        found["bwrap"] = select("bwrap")
    return found


MECHANISMS = mechanisms()


@pytest.fixture(params=list(MECHANISMS), scope="session")
def mechanism(request):
    return MECHANISMS[request.param]


@pytest.fixture(scope="session")
def hostile():
    """Path of the module of hostile engines."""
    return HOSTILE


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a worker of `Hostile`; all are closed in the end."""
    workers = []

    def begin(mechanism="landlock", target="Hostile", load=True, config=None, limits=None, load_deadline=30.0, **more):
        chosen = MECHANISMS[mechanism] if isinstance(mechanism, str) else mechanism
        scratch = tmp_path / f"scratch-{len(workers)}"
        scratch.mkdir()
        launch = python_launch(
            "engine 'hostile'",
            f"{HOSTILE}:{target}",
            scratch,
            chosen,
            config=config,
            limits=limits or Limits(memory=1 << 30, processes=64, file_size=16 << 20, scratch=64 << 20),
            log=tmp_path / "logs" / f"worker-{len(workers)}.log",
            load_deadline=load_deadline,
            **more,
        )
        worker = Worker(launch)
        workers.append(worker)
        if load:
            worker.start()
        return worker

    yield begin
    for worker in workers:
        worker.close()


@pytest.fixture(scope="session")
def shared(mechanism, tmp_path_factory):
    """One worker per mechanism, for requests that do it no harm."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "scratch").mkdir()
    (folder / "readable").mkdir()
    (folder / "readable" / "model.bin").write_text("weights")
    launch = python_launch(
        "engine 'hostile'",
        f"{HOSTILE}:Hostile",
        folder / "scratch",
        mechanism,
        read_paths=(folder / "readable",),
        log=folder / "worker.log",
        load_deadline=30.0,
    )
    worker = Worker(launch)
    worker.start()
    yield worker
    worker.close()


@pytest.fixture
def ask():
    """Return a function that has a worker render in one of the hostile ways."""

    def call(worker, style, caption="", deadline=20.0, on_progress=None):
        out = worker.launch.policy.scratch / "song.wav"
        recipe = {"style": style, "caption": caption, "duration": 0.5, "seed": 7}
        return worker.call("render", {"recipe": recipe, "out": str(out)}, deadline=deadline, on_progress=on_progress)

    return call

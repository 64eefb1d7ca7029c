"""Tiny models with random weights, so that the production path runs without a download.

What they make is noise: they prove that requests arrive, that songs repeat and that errors are seen, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from optimizer.rendering.base import EngineSpec
    from optimizer.workers.worker import Worker


@pytest.fixture(scope="session")
def tiny_acestep(tiny_models: Path) -> Path:
    """Return the folder of a turbo pipeline at 8 kHz, 25 latents a second, two denoising layers."""
    return tiny_models / "tiny-acestep-turbo"


@pytest.fixture(scope="session")
def tiny_musicgen(tiny_models: Path) -> Path:
    """Return the folder of a MusicGen with its tokenizer."""
    return tiny_models / "tiny-musicgen"


@pytest.fixture
def recipe() -> dict[str, Any]:
    """Return a recipe as an engine gets it: two seconds of bhangra."""
    return {
        "genre": "bhangra",
        "style": "dhol-party",
        "caption": "Dhol-driven Punjabi party anthem, thunderous dhol, tumbi hook",
        "bpm": 105,
        "key": "G major",
        "language": "pa",
        "lyrics": "[Verse]\nਢੋਲ ਵੱਜਿਆ\n[Chorus]\nਬੱਲੇ ਬੱਲੇ",
        "seed": 7,
        "duration": 2.0,
        "time_signature": "4",
    }


@pytest.fixture
def options() -> Callable[..., SimpleNamespace]:
    """Return what makes the options of an engine's `describe`."""

    def make(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**{"model": None, "device": "auto", "duration": 2.0, "acestep_dir": None, **given})

    return make


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[EngineSpec], Worker]]:
    """Return what starts a worker for an engine, confined as in life; its log is ``worker.log`` beside its scratch."""
    from optimizer.sandbox.mechanism import select
    from optimizer.sandbox.policy import Limits
    from optimizer.workers.launch import python_launch
    from optimizer.workers.worker import Worker

    started: list[Worker] = []

    def run(spec: EngineSpec) -> Worker:
        scratch = tmp_path / f"scratch{len(started)}"
        scratch.mkdir()
        launch = python_launch(
            f"renderer {spec.name!r}",
            spec.target,
            scratch,
            select("auto"),
            config=spec.config,
            read_paths=spec.read_paths,
            device=spec.device,
            python=spec.python,
            environment=spec.environment,
            limits=Limits(memory=spec.memory_limit),
            log=tmp_path / "worker.log",
            load_deadline=spec.load_deadline,
        )
        worker = Worker(launch)
        started.append(worker)
        worker.start()
        return worker

    yield run
    for worker in started:
        worker.close()

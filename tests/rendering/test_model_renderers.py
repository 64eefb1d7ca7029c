"""The model engines as a run uses them: in the sandbox, behind the gates, warm, killed and replaced."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import soundfile

from optimizer.errors import BadAudio
from optimizer.recipe import Recipe
from optimizer.rendering import acestep, musicgen
from optimizer.rendering.base import EngineSpec
from optimizer.rendering.renderer import Renderer

Make = Callable[..., Renderer]


def described(engine: Any, folder: Path) -> EngineSpec:
    spec: EngineSpec = engine.describe(SimpleNamespace(model=str(folder), device="cpu", duration=2.0, acestep_dir=None))
    return spec


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    made: list[Renderer] = []

    def renderer(spec: EngineSpec, **more: Any) -> Renderer:
        folder = tmp_path_factory.mktemp("scratch")
        made.append(Renderer(spec, folder, log=folder / "worker.log", **more))
        return made[-1]

    yield renderer
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def warm(tiny_acestep: Path, make: Make) -> Renderer:
    return make(described(acestep, tiny_acestep))


@pytest.fixture
def song(recipe: dict[str, Any]) -> Recipe:
    return Recipe.from_dict(recipe)


def test_song_becomes_a_checked_master(warm: Renderer, song: Recipe, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    clip = warm.render(song, tmp_path / "a.flac", on_progress=lambda step, count: steps.append((step, count)))
    assert (clip.sample_rate, clip.duration) == (8000, 2.0)
    assert soundfile.info(clip.path).format == "FLAC"
    assert steps == [(step, 8) for step in range(1, 9)]
    assert (warm.info["device"], warm.info["sample_rate"]) == ("cpu", 8000)
    assert warm.info["profile"] == "turbo/8 steps/shift 3/guidance 1"
    assert clip.info["attempts"] == 1


def test_another_process_and_the_hubs_cache_make_the_same_song(
    warm: Renderer, song: Recipe, make: Make, tiny_acestep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the cache a model is a folder of links to files elsewhere, and the worker must see both."""
    from huggingface_hub import constants

    here = warm.render(song, tmp_path / "a.flac")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "0123456789abcdef0123456789abcdef01234567"
    store = tmp_path / "hub" / "models--owner--tiny-turbo"
    (store / "blobs").mkdir(parents=True)
    for number, file in enumerate(path for path in tiny_acestep.rglob("*") if path.is_file()):
        blob = store / "blobs" / f"{number:064x}"
        shutil.copyfile(file, blob)
        link = store / "snapshots" / commit / file.relative_to(tiny_acestep)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    spec = described(acestep, Path("owner/tiny-turbo"))
    assert f"tiny-turbo@{commit}" in spec.revision
    other = make(spec, keep_loaded=False)
    there = other.render(song, tmp_path / "b.flac")
    assert other.pid is None
    assert there.sha256 == here.sha256
    assert warm.render(replace(song, seed=8), tmp_path / "c.flac").sha256 != here.sha256


def test_plan_goes_in_and_comes_out(warm: Renderer, song: Recipe, tmp_path: Path) -> None:
    plan = "<|audio_code_7|><|audio_code_900|>" * 5
    plain = warm.render(song, tmp_path / "a.flac")
    planned = warm.render(song, tmp_path / "b.flac", plan=plan)
    assert planned.sha256 != plain.sha256
    assert (planned.info["plan"], planned.info["replayed"]) == (plan, True)


def test_too_long_caption_is_told(warm: Renderer, song: Recipe) -> None:
    (problem,) = warm.check([song, replace(song, caption="qzx " * 120)])
    assert "'dhol-party'" in problem


def test_killed_in_a_song_costs_one_attempt(warm: Renderer, song: Recipe, tmp_path: Path) -> None:
    first = warm.render(song, tmp_path / "a.flac")
    supervisor = warm.pid
    killed: list[int] = []

    def kill(step: int, count: int) -> None:
        if step == 3 and not killed:
            assert warm.pid is not None
            *_, engine = psutil.Process(warm.pid).children(recursive=True)
            killed.append(engine.pid)
            os.kill(engine.pid, signal.SIGKILL)

    again = warm.render(song, tmp_path / "b.flac", on_progress=kill)
    assert killed
    assert again.info["attempts"] == 2
    assert again.sha256 == first.sha256
    assert warm.pid != supervisor


def test_memory_stays_where_it_was(warm: Renderer, song: Recipe, tmp_path: Path) -> None:
    """Ten songs here; `benchmarks/worker_memory.py` renders forty."""
    pid = warm.pid
    figures = [warm.render(replace(song, seed=seed), tmp_path / "a.flac").info["memory"]["rss"] for seed in range(12)]
    assert warm.pid == pid
    assert max(figures[2:]) <= 1.1 * figures[1]


PROBE = '''
import os, socket
from pathlib import Path
import soundfile
from optimizer.rendering.acestep import AceStep

def fails(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "it worked"

def connect(kind):
    with socket.socket(socket.AF_INET, kind) as made:
        made.connect(("192.0.2.1", 53))
        made.send(b"x")

class Probe(AceStep):
    """The engine itself, which also tries what it must not do."""

    def load(self, config):
        self.folder = Path(config["folder"])
        return super().load(config)

    def render(self, recipe, out):
        kept = super().render(recipe, out)
        weights = self.folder / "vae" / "diffusion_pytorch_model.safetensors"
        return {
            **kept,
            "tcp": fails(lambda: connect(socket.SOCK_STREAM)),
            "udp": fails(lambda: connect(socket.SOCK_DGRAM)),
            "new": fails(lambda: (self.folder / "new.txt").write_text("x")),
            "change": fails(lambda: weights.open("r+b")),
            "remove": fails(weights.unlink),
            "neighbour": fails(lambda: os.listdir(self.folder.parent)),
            "names": sorted(name for name in os.environ if "TOKEN" in name.split("_")),
        }
'''


@pytest.fixture(scope="module")
def probe(tiny_acestep: Path, make: Make, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    file = tmp_path_factory.mktemp("probe") / "probe.py"
    file.write_text(PROBE)
    return make(replace(described(acestep, tiny_acestep), target=f"{file}:Probe"))


def test_no_network_and_a_model_that_is_only_read(
    probe: Renderer, song: Recipe, tiny_acestep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    before = sorted((path, path.stat().st_mtime_ns) for path in tiny_acestep.rglob("*"))
    tried = probe.render(song, tmp_path / "a.flac").info
    assert "it worked" not in {tried[name] for name in ("tcp", "udp", "new", "change", "remove")}
    assert tried["names"] == []
    assert sorted((path, path.stat().st_mtime_ns) for path in tiny_acestep.rglob("*")) == before


GROWING = """
import numpy, soundfile

class Growing:
    def load(self, config):
        self.songs = 0
        return {"sample_rate": 8000}

    def render(self, recipe, out):
        self.songs += 1
        rate = 4000 if recipe["caption"] == "slow" else 8000
        soundfile.write(out, numpy.sin(numpy.arange(2 * rate) / 7), rate)
        return {"songs": self.songs, "recycle": "device memory grew" if self.songs == 2 else None}
"""


def test_engine_that_outgrew_its_device_is_replaced(make: Make, song: Recipe, tmp_path: Path) -> None:
    (tmp_path / "growing.py").write_text(GROWING)
    renderer = make(EngineSpec("growing", f"{tmp_path / 'growing.py'}:Growing", "1"))
    counts = [renderer.render(song, tmp_path / "a.flac").info["songs"] for _ in range(4)]
    assert counts == [1, 2, 1, 2]
    assert renderer.render(song, tmp_path / "a.flac").info["attempts"] == 1


def test_rate_is_held_against_what_the_engine_loaded(make: Make, song: Recipe, tmp_path: Path) -> None:
    """Whatever a file says of itself: at 4 kHz it lasts as long as it should."""
    (tmp_path / "growing.py").write_text(GROWING)
    renderer = make(EngineSpec("growing", f"{tmp_path / 'growing.py'}:Growing", "1"))
    with pytest.raises(BadAudio, match="8000 Hz were expected") as caught:
        renderer.render(replace(song, caption="slow"), tmp_path / "a.flac")
    assert caught.value.reason == "sample-rate"
    assert not (tmp_path / "a.flac").exists()


def test_musicgen_through_the_same_door(tiny_musicgen: Path, make: Make, song: Recipe, tmp_path: Path) -> None:
    renderer = make(described(musicgen, tiny_musicgen))
    first = renderer.render(song, tmp_path / "a.flac")
    assert (first.sample_rate, soundfile.info(first.path).channels) == (16_000, 1)
    assert renderer.render(song, tmp_path / "b.flac").sha256 == first.sha256
    assert renderer.check([replace(song, duration=40.0)])

"""MusicGen with random weights: what it follows, what it does not, and that it repeats."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile

from optimizer.errors import CheckpointError, RenderFailed
from optimizer.rendering.base import Support
from optimizer.rendering.musicgen import SUPPORTS, MusicGen, describe, prompt_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CHANGES = {
    "genre": "edm",
    "caption": "Slow dhol",
    "bpm": 120,
    "key": "E minor",
    "time_signature": "3",
    "seed": 8,
    "duration": 0.8,
}
IGNORED = {"language": "hi", "lyrics": "[Instrumental]", "style": "punjabi-trap"}


def load(folder: Path) -> MusicGen:
    made = MusicGen()
    options = SimpleNamespace(model=str(folder), device="cpu", duration=2.0, acestep_dir=None)
    made.load(dict(describe(options).config))
    return made


@pytest.fixture(scope="module")
def engine(tiny_musicgen: Path) -> MusicGen:
    return load(tiny_musicgen)


@pytest.fixture
def recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Shorten it: the decoder's steps are what takes time here."""
    return {**recipe, "duration": 0.5}


def samples(engine: MusicGen, recipe: dict[str, Any], folder: Path) -> Any:
    engine.render(recipe, folder / "song.wav")
    return soundfile.read(folder / "song.wav", dtype="float32")[0]


def test_prompt_says_what_there_is_no_input_for(recipe: dict[str, Any]) -> None:
    prompt = prompt_of({**recipe, "genre": "hip-hop", "caption": "Dark beat."})
    assert prompt == "Dark beat, hip hop, 105 BPM, in G major, 4/4 time"


def test_one_song(engine: MusicGen, recipe: dict[str, Any], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    engine.on_step = lambda step, count: steps.append((step, count))
    kept = engine.render(recipe, tmp_path / "song.wav")
    engine.on_step = lambda step, count: None
    info = soundfile.info(tmp_path / "song.wav")
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "FLOAT")
    assert kept["duration"] == pytest.approx(0.5, abs=0.03)
    assert (kept["seed"], kept["prompt"]) == (7, prompt_of(recipe))
    assert steps[0][0] == 1 and steps[-1][0] == steps[-1][1]
    json.dumps(kept)


def test_repeats_and_follows_what_it_says(engine: MusicGen, recipe: dict[str, Any], tmp_path: Path) -> None:
    first = samples(engine, recipe, tmp_path)
    assert (samples(engine, recipe, tmp_path) == first).all()
    for field, value in CHANGES.items():
        other = samples(engine, {**recipe, field: value}, tmp_path)
        assert other.shape != first.shape or (other != first).any(), field
        assert SUPPORTS.get(field) is not Support.NONE
    for field, value in IGNORED.items():
        assert (samples(engine, {**recipe, field: value}, tmp_path) == first).all(), field
    assert {field for field, support in SUPPORTS.items() if support is Support.NONE} <= set(IGNORED)


def test_longer_than_it_was_trained_on(engine: MusicGen, recipe: dict[str, Any]) -> None:
    assert engine.check([recipe]) == []
    (problem,) = engine.check([recipe, {**recipe, "duration": 45.0}])
    assert "45 s" in problem and "--duration 30" in problem


def test_cancelled_song_stops(engine: MusicGen, recipe: dict[str, Any], tmp_path: Path) -> None:
    def step(done: int, count: int) -> None:
        if done == 5:
            engine.cancel()

    engine.on_step = step
    with pytest.raises(RenderFailed) as caught:
        engine.render(recipe, tmp_path / "song.wav")
    engine.on_step = lambda done, count: None
    assert caught.value.reason == "cancelled"
    assert engine.render(recipe, tmp_path / "song.wav")["seed"] == 7


def test_layer_without_weights_is_refused(tiny_musicgen: Path, tmp_path: Path) -> None:
    folder = tmp_path / "holed"
    shutil.copytree(tiny_musicgen, folder)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    name = next(name for name in header if "lm_heads" in name)
    header["left.over"] = header.pop(name)
    changed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(changed)) + changed + data[8 + length :])
    with pytest.raises(CheckpointError, match="lacks 1 weights"):
        load(folder)


def test_description(tiny_musicgen: Path, options, tmp_path: Path, monkeypatch) -> None:
    from huggingface_hub import constants

    spec = describe(options(model=str(tiny_musicgen)))
    assert "tiny-musicgen@sha256:" in spec.revision
    assert spec.supports["lyrics"] is Support.NONE
    assert spec.plans is False
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(CheckpointError, match="not on this machine") as caught:
        describe(options())
    assert caught.value.next_step == "Run: optimize setup musicgen"

"""The diffusers engine on a tiny pipeline with random weights: requests, repetition, limits and refusals.

In this process, without the worker; `test_model_renderers.py` runs the same pipeline as a run does.
"""

from __future__ import annotations

import inspect
import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from optimizer.errors import CheckpointError, MissingPrerequisite, RenderFailed, UsageError
from optimizer.rendering import acestep
from optimizer.rendering.acestep import AceStep, describe, even_frames, seconds_for
from optimizer.search_space.shipped import genre_names, load_genre

# torch and diffusers warn about their own future while they are imported and loaded.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CHANGES = {
    "caption": "Slow dhol",
    "bpm": 120,
    "key": "E minor",
    "language": "hi",
    "lyrics": "[Instrumental]",
    "seed": 8,
    "duration": 2.2,
    "time_signature": "3",
}
PLAN = "".join(f"<|audio_code_{37 * i}|>" for i in range(10))


@pytest.fixture(scope="module")
def engine(tiny_acestep: Path) -> AceStep:
    return load(tiny_acestep)


def load(folder: Path) -> AceStep:
    from types import SimpleNamespace

    made = AceStep()
    options = SimpleNamespace(model=str(folder), device="cpu", duration=2.0, acestep_dir=None)
    made.load(dict(describe(options).config))
    return made


def samples(engine: AceStep, recipe: dict[str, Any], folder: Path) -> Any:
    out = folder / "song.wav"
    engine.render(recipe, out)
    return soundfile.read(out, dtype="float32")[0]


def test_one_song(engine: AceStep, recipe: dict[str, Any], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    engine.on_step = lambda step, count: steps.append((step, count))
    kept = engine.render(recipe, tmp_path / "song.wav")
    engine.on_step = lambda step, count: None
    info = soundfile.info(tmp_path / "song.wav")
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (8000, 2, 16000, "FLOAT")
    assert (kept["seed"], kept["duration"], kept["plan"], kept["replayed"]) == (7, 2.0, None, False)
    assert set(kept["timings"]) == {"denoise", "decode", "write"}
    assert kept["memory"]["rss"] > 0
    assert steps == [(step, 8) for step in range(1, 9)]
    json.dumps(kept)


def test_repeats_and_follows_each_field(
    engine: AceStep, recipe: dict[str, Any], tiny_acestep: Path, tmp_path: Path
) -> None:
    first = samples(engine, recipe, tmp_path)
    assert (samples(engine, recipe, tmp_path) == first).all()
    assert (samples(load(tiny_acestep), recipe, tmp_path) == first).all()
    asked = engine.request(recipe)
    for field, value in CHANGES.items():
        changed = {**recipe, field: value}
        assert field == "seed" or engine.request(changed) != asked, field
        other = samples(engine, changed, tmp_path)
        assert other.shape != first.shape or (other != first).any(), field


def test_genre_and_style_reach_the_model_as_their_captions(engine: AceStep, tmp_path: Path) -> None:
    def song(genre: str, style: int) -> tuple[dict[str, Any], Any]:
        probes = load_genre(genre).probe_recipes(2.0)
        styles = list(dict.fromkeys(probe.style for probe in probes))
        made = next(probe for probe in probes if probe.style == styles[style]).to_dict()
        return engine.request(made), samples(engine, made, tmp_path)

    base = song("bhangra", 0)
    for other in (song("bhangra", 1), song("edm", 0)):
        assert other[0]["prompt"] != base[0]["prompt"]
        assert (other[1] != base[1]).any()


def test_no_setting_is_left_to_the_pipeline(engine: AceStep, recipe: dict[str, Any]) -> None:
    """A default of the library that decides the song must not come to be used unnoticed."""
    irrelevant = {
        "callback",  # superseded by the one that is used
        "callback_steps",
        "instruction",  # chosen by the task
        "track_name",  # of other tasks than text to music
        "complete_track_classes",
        "src_audio",
        "reference_audio",
        "repainting_start",
        "repainting_end",
        "timesteps",  # None lets steps and shift decide
        "attention_kwargs",
        "audio_codes",  # given with a plan
        "generator",  # the noise is drawn by the engine
    }
    given: dict[str, Any] = {}
    real = engine.pipe
    try:
        engine.pipe = Recorder(real, given)
        with pytest.raises(KeyboardInterrupt):
            engine.render(recipe, Path("never.wav"))
    finally:
        engine.pipe = real
    parameters = set(inspect.signature(type(real).__call__).parameters) - {"self"}
    assert parameters - set(given) == irrelevant & parameters
    assert (given["num_inference_steps"], given["shift"], given["guidance_scale"]) == (8, 3.0, 1.0)
    assert given["latents"].device.type == "cpu"


class Recorder:
    """A pipeline that notes its arguments instead of rendering."""

    def __init__(self, pipe: Any, given: dict[str, Any]) -> None:
        self._pipe, self._given = pipe, given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def __call__(self, **given: Any) -> None:
        self._given.update(given)
        raise KeyboardInterrupt


def test_noise_does_not_depend_on_precision(engine: AceStep, recipe: dict[str, Any]) -> None:
    import torch

    noise = engine.noise(7, engine.request(recipe))
    assert noise.shape == (1, 50, 8)
    half = torch.randn(noise.shape, generator=torch.Generator("cpu").manual_seed(7), dtype=torch.bfloat16)
    assert torch.equal(noise.bfloat16(), half)


def test_base_checkpoint_is_guided(tmp_path: Path, recipe: dict[str, Any]) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
    assert spec is not None and spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    tiny.acestep(tmp_path / "tiny-base", turbo=False)
    engine = load(tmp_path / "tiny-base")
    asked = engine.request(recipe)
    assert (asked["num_inference_steps"], asked["shift"], asked["guidance_scale"]) == (50, 1.0, 7.0)
    engine.profile = type(engine.profile)("base", steps=4, shift=1.0, guidance=7.0, correction=False)
    guided = samples(engine, recipe, tmp_path)
    engine.profile = type(engine.profile)("base", steps=4, shift=1.0, guidance=1.0, correction=False)
    assert (samples(engine, recipe, tmp_path) != guided).any()


def test_plan_is_followed(engine: AceStep, recipe: dict[str, Any], tmp_path: Path) -> None:
    plain = samples(engine, recipe, tmp_path)
    planned = samples(engine, {**recipe, "plan": PLAN}, tmp_path)
    assert planned.shape == plain.shape
    assert (planned != plain).any()
    assert (samples(engine, {**recipe, "plan": PLAN}, tmp_path) == planned).all()
    assert (samples(engine, {**recipe, "plan": PLAN, "seed": 8}, tmp_path) != planned).any()
    kept = engine.render({**recipe, "plan": PLAN}, tmp_path / "song.wav")
    assert (kept["plan"], kept["replayed"]) == (PLAN, True)


@pytest.mark.parametrize("codes", [1, 9, 40])
def test_plan_of_another_length_is_fitted(engine: AceStep, recipe: dict[str, Any], tmp_path: Path, codes: int) -> None:
    plan = "<|audio_code_5|>" * codes
    assert samples(engine, {**recipe, "plan": plan, "duration": 2.2}, tmp_path).shape == (19200, 2)


def test_cancelled_song_stops_at_its_step(engine: AceStep, recipe: dict[str, Any], tmp_path: Path) -> None:
    steps: list[int] = []

    def step(done: int, count: int) -> None:
        steps.append(done)
        if done == 3:
            engine.cancel()

    engine.on_step = step
    with pytest.raises(RenderFailed) as caught:
        engine.render(recipe, tmp_path / "song.wav")
    engine.on_step = lambda done, count: None
    assert caught.value.reason == "cancelled"
    assert steps == [1, 2, 3]
    assert not (tmp_path / "song.wav").exists()
    assert engine.render(recipe, tmp_path / "song.wav")["seed"] == 7


def test_durations_make_whole_pairs_of_latents() -> None:
    for hundredths in range(20, 60_000, 37):
        duration = hundredths / 100
        frames = even_frames(duration, 25.0)
        assert frames % 2 == 0 and frames >= 2
        assert abs(frames / 25.0 - duration) <= 0.04 + 1e-9 or duration < 0.04
        assert math.ceil(seconds_for(frames, 25.0) * 25.0) == frames


@pytest.mark.parametrize("duration", [0.2, 2.2, 2.24, 4.6])
def test_awkward_durations_render(engine: AceStep, recipe: dict[str, Any], tmp_path: Path, duration: float) -> None:
    kept = engine.render({**recipe, "duration": duration}, tmp_path / "song.wav")
    assert kept["duration"] == pytest.approx(duration, abs=0.041)
    assert soundfile.info(tmp_path / "song.wav").duration == kept["duration"]


def test_counts_tokens_as_the_pipeline_does(engine: AceStep, recipe: dict[str, Any], tmp_path: Path) -> None:
    read: list[str] = []
    counted: list[str] = []
    real = engine.pipe.tokenizer

    def tokenizer(texts: Any, **more: Any) -> Any:
        # The pipeline gives lists and a length to cut at.
        read.extend(texts) if more else counted.append(texts)
        return real(texts, **more)

    try:
        engine.pipe.tokenizer = tokenizer
        engine.render(recipe, tmp_path / "song.wav")
        engine.render({**recipe, "plan": PLAN}, tmp_path / "song.wav")
        counts = engine.token_counts(engine.request(recipe))
    finally:
        engine.pipe.tokenizer = real
    # Without a plan and with one the instruction differs; the lyrics do not.
    assert len(set(read)) == 3
    assert set(counted) == set(read)
    longest = max(len(real(text).input_ids) for text in read[0::2])
    assert counts == (longest, len(real(read[1]).input_ids))


def test_too_long_is_said_before_the_first_song(engine: AceStep, recipe: dict[str, Any]) -> None:
    assert engine.check([recipe]) == []
    text, lyrics = engine.check([recipe, {**recipe, "caption": "qzx " * 120}, {**recipe, "lyrics": "qzx " * 1000}])
    count = engine.token_counts(engine.request({**recipe, "caption": "qzx " * 120}))[0]
    assert f"style 'dhol-party' of 'bhangra': its caption with BPM, key, metre and duration is {count} tokens" in text
    assert "256" in text
    assert lyrics.startswith("lyrics in 'pa' of 'bhangra'")
    assert "2048" in lyrics


def test_shipped_spaces_fit(engine: AceStep) -> None:
    """With a tokenizer trained on these very texts; the real one is asked at every start of a run."""
    for genre in genre_names():
        probes = [probe.to_dict() for probe in load_genre(genre).probe_recipes(30.0)]
        assert len(probes) > 1
        assert engine.check(probes) == [], genre


def test_layer_without_weights_is_refused(tiny_acestep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "holed"
    shutil.copytree(tiny_acestep, folder)
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    name = next(name for name in header if name.endswith("weight"))
    header["left.over"] = header.pop(name)
    changed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(changed)) + changed + data[8 + length :])
    with pytest.raises(CheckpointError, match=f"lacks 1 weights of its model, such as '{name}'"):
        load(folder)


def test_description(tiny_acestep: Path, options) -> None:
    spec = describe(options(model=str(tiny_acestep)))
    assert spec.target == "optimizer.rendering.acestep:AceStep"
    assert "tiny-acestep-turbo@sha256:" in spec.revision
    assert "turbo/8 steps/shift 3/guidance 1" in spec.revision
    assert str(tiny_acestep) not in spec.revision
    assert tiny_acestep in spec.read_paths
    assert spec.environment["HF_HUB_OFFLINE"] == "1"
    assert not any("TOKEN" in name.split("_") for name in spec.environment)
    longer = describe(options(model=str(tiny_acestep), duration=300.0))
    assert longer.deadline > spec.deadline


def test_description_imports_no_torch(tiny_acestep: Path) -> None:
    program = (
        "import sys; from types import SimpleNamespace as S; from optimizer.rendering.acestep import describe; "
        f"describe(S(model={str(tiny_acestep)!r}, device='auto', duration=2.0, acestep_dir=None)); "
        "print(sorted({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=acestep_root()
    )
    assert done.stdout.strip() == "[]"


def acestep_root() -> Path:
    return Path(acestep.__file__).parents[2]


def test_models_that_cannot_be_used(tiny_acestep: Path, tmp_path: Path, options, monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(CheckpointError, match="is not on this machine") as caught:
        describe(options())
    assert caught.value.next_step == "Run: optimize setup acestep"
    with pytest.raises(CheckpointError, match="not on this machine") as other:
        describe(options(model="owner/model@v1"))
    assert other.value.next_step == "Run: optimize setup acestep --model owner/model@v1"
    with pytest.raises(CheckpointError, match=r"no model_index\.json"):
        describe(options(model=str(tmp_path)))
    (tmp_path / "checkpoints" / "acestep-v15-turbo").mkdir(parents=True)
    with pytest.raises(CheckpointError) as upstream:
        describe(options(model=str(tmp_path)))
    assert "acestep-native" in str(upstream.value.next_step)
    folder = tmp_path / "other"
    shutil.copytree(tiny_acestep, folder)
    (folder / "model_index.json").write_text('{"_class_name": "StableAudioPipeline"}')
    with pytest.raises(CheckpointError, match="StableAudioPipeline"):
        describe(options(model=str(folder)))
    with pytest.raises(UsageError, match="device 'gpu'"):
        describe(options(model=str(tiny_acestep), device="gpu"))
    monkeypatch.setattr("optimizer.rendering.device.find_spec", lambda name: None if name == "diffusers" else name)
    with pytest.raises(MissingPrerequisite, match="needs diffusers") as missing:
        describe(options(model=str(tiny_acestep)))
    assert "banger-optimizer[models]" in str(missing.value.next_step)
    monkeypatch.undo()
    monkeypatch.setattr("optimizer.rendering.device.version", lambda name: "0.37.1")
    with pytest.raises(MissingPrerequisite, match=r"diffusers 0\.37\.1 has no AceStepPipeline; 0\.38 or newer") as old:
        describe(options(model=str(tiny_acestep)))
    assert "diffusers>=0.38" in str(old.value.next_step)


def test_status_for_the_doctor(tiny_acestep: Path, tmp_path: Path, monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    absent = acestep.status()
    assert (absent["ready"], absent["mend"]) == (False, "Run: optimize setup acestep")
    assert absent["packages"]["diffusers"]
    there = acestep.status(str(tiny_acestep))
    assert there["ready"] is True
    assert there["problem"] is None
    assert there["bytes"] == sum(path.stat().st_size for path in tiny_acestep.rglob("*") if path.is_file())
    assert acestep.setup(str(tiny_acestep)).folder == tiny_acestep

"""The native engine against a stand-in for upstream, through the real worker in the real sandbox.

The stand-in has upstream's signatures, dataclasses, folder layout, seeding rules and shapes of results, and notes what
it is asked. It does not prove that the real models load, that MLX or CUDA behave as described, that the planner's codes
repeat on a device once its generators are seeded, nor how anything sounds: `docs/gpu-checks.md` lists those checks.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from optimizer.errors import CheckpointError, MissingPrerequisite, RenderFailed, UsageError
from optimizer.rendering.acestep_native import describe

HERE = Path(__file__).parent
COMPONENTS = ("acestep-v15-turbo", "acestep-v15-base", "vae", "Qwen3-Embedding-0.6B", "acestep-5Hz-lm-1.7B")
WEIGHTS = b"\x10\0\0\0\0\0\0\0" + b'{"w":{}}        '


def make_checkout(folder: Path) -> Path:
    """Lay out a checkout: the stand-in package, models that are files only, a virtual environment of this Python."""
    shutil.copytree(HERE / "standin" / "acestep", folder / "acestep", ignore=shutil.ignore_patterns("__pycache__"))
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    for name in COMPONENTS:
        (folder / "checkpoints" / name).mkdir(parents=True)
        weights = len(header).to_bytes(8, "little") + header + b"\0" * 4
        (folder / "checkpoints" / name / "model.safetensors").write_bytes(weights)
        (folder / "checkpoints" / name / "modeling_acestep.py").write_text("# as it was downloaded\n")
    environment = folder / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    home, version = Path(sys.executable).resolve().parent, ".".join(map(str, sys.version_info[:3]))
    (environment / "pyvenv.cfg").write_text(f"home = {home}\nversion_info = {version}\n")
    packages = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    shutil.copytree(HERE / "standin" / "packages", packages, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ACESTEP_CHECKPOINTS_DIR", raising=False)
    # The stand-in does not care; the check of the version has a test of its own.
    monkeypatch.setattr("optimizer.rendering.acestep_native.PYTHONS", (f"3.{sys.version_info[1]}",))
    return make_checkout(tmp_path / "ACE-Step-1.5")


class Session:
    """A worker on the stand-in, and what the stand-in noted."""

    def __init__(self, worker: Any, log: Path, folder: Path) -> None:
        self.worker, self.log, self.folder, self.count = worker, log, folder, 0

    def render(self, recipe: dict[str, Any], on_progress: Any = None) -> dict[str, Any]:
        self.count += 1
        out = self.folder / f"{self.count}.wav"
        result = self.worker.call("render", {"recipe": recipe, "out": str(out)}, deadline=60.0, on_progress=on_progress)
        return {**result, "audio": soundfile.read(out, dtype="float32")[0] if out.exists() else None, "file": out}

    def notes(self, what: str) -> list[dict[str, Any]]:
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("NOTE "))
        return [note for note in map(json.loads, (line[5:] for line in lines)) if note["what"] == what]


@pytest.fixture
def session(checkout: Path, options, start, tmp_path: Path) -> Session:
    worker = start(describe(options(acestep_dir=str(checkout))))
    return Session(worker, tmp_path / "worker.log", tmp_path / "scratch0")


def tree(folder: Path) -> dict[str, str]:
    """Return every file of a folder with its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_one_song_and_what_it_was_made_from(checkout: Path, session: Session, recipe: dict[str, Any]) -> None:
    before = tree(checkout)
    steps: list[tuple[int, int]] = []
    song = session.render(recipe, lambda step, count: steps.append((step, count)))
    assert (song["seed"], song["replayed"], song["sample_rate"]) == (7, False, 8000)
    assert song["plan"].count("<|audio_code_") == 10
    # Upstream made 5.12 s.
    assert song["duration"] == 2.0
    assert soundfile.info(song["file"]).subtype == "FLOAT"
    assert song["audio"].shape == (16000, 2)
    assert song["timings"]["lm_total_time"] == 0.2
    assert song["warnings"] == []
    assert song["memory"]["rss"] > 0
    assert song["recycle"] is None
    assert steps == [(10, 100), (51, 100), (100, 100)]
    assert tree(checkout) == before

    (init,) = session.notes("init")
    assert init["network"] is False
    assert Path(init["package"]).is_relative_to(init["root"])
    assert not Path(init["root"]).is_relative_to(checkout)
    assert init["checkpoints"] == str(Path(init["root"], "checkpoints").resolve())
    assert init["environment"]["ACESTEP_VAE_DECODE_CHUNK_SIZE"] == "256"
    (handler,) = session.notes("handler")
    assert handler["after"] == ["mlx limit"]
    assert session.notes("mlx limit")[0]["size"] == 4 << 30
    (asked,) = session.notes("generate")
    assert asked["thread"] == init["thread"]
    assert asked["empty"] is True
    assert not Path(asked["folder"]).exists()


def test_every_setting_is_given(session: Session, recipe: dict[str, Any]) -> None:
    session.render(recipe)
    (asked,) = session.notes("generate")
    params, config = asked["params"], asked["config"]
    assert {name: params[name] for name in ("caption", "lyrics", "bpm", "duration", "keyscale", "timesignature")} == {
        "caption": recipe["caption"],
        "lyrics": recipe["lyrics"],
        "bpm": 105,
        "duration": 2.0,
        "keyscale": "G major",
        "timesignature": "4",
    }
    assert params["vocal_language"] == "pa"
    assert (params["inference_steps"], params["shift"], params["guidance_scale"]) == (8, 3.0, 1.0)
    assert params["dcw_enabled"] is True
    assert (params["thinking"], params["infer_method"]) == (True, "ode")
    assert not any(params[name] for name in params if name.startswith("use_cot_"))
    assert (config["batch_size"], config["use_random_seed"], config["seeds"]) == (1, False, [7])


def test_base_has_its_own_profile(checkout: Path, options, start, recipe, tmp_path: Path) -> None:
    spec = describe(options(acestep_dir=str(checkout), model="acestep-v15-base+none"))
    assert spec.plans is False
    session = Session(start(spec), tmp_path / "worker.log", tmp_path / "scratch0")
    assert session.render(recipe)["plan"] is None
    (asked,) = session.notes("generate")
    params = asked["params"]
    assert (params["inference_steps"], params["shift"], params["guidance_scale"]) == (50, 1.0, 7.0)
    assert (params["dcw_enabled"], params["thinking"]) == (False, False)
    assert session.notes("planner") == []


CHANGES = {
    "caption": "Slow dhol",
    "bpm": 120,
    "key": "E minor",
    "language": "hi",
    "lyrics": "[Instrumental]",
    "seed": 8,
    "duration": 6.0,
    "time_signature": "3",
}


def test_repeats_and_follows_each_field(session: Session, recipe: dict[str, Any]) -> None:
    first, again = session.render(recipe), session.render(recipe)
    assert first["plan"] == again["plan"]
    assert (first["audio"] == again["audio"]).all()
    asked = session.notes("generate")[0]["params"]
    for field, value in CHANGES.items():
        other = session.render({**recipe, field: value})
        assert other["audio"].shape != first["audio"].shape or (other["audio"] != first["audio"]).any(), field
        now = session.notes("generate")[-1]
        assert now["params"] != asked or now["config"]["seeds"] == [8], field
    folders = [note["folder"] for note in session.notes("generate")]
    assert len(set(folders)) == len(folders)


def test_plan_replayed_on_its_seed_and_on_another(session: Session, recipe: dict[str, Any]) -> None:
    first = session.render(recipe)
    replay = session.render({**recipe, "plan": first["plan"]})
    assert (replay["audio"] == first["audio"]).all()
    assert (replay["plan"], replay["replayed"], replay["timings"]["lm_total_time"]) == (first["plan"], True, 0.0)
    assert session.notes("generate")[-1]["params"]["thinking"] is False
    take = session.render({**recipe, "plan": first["plan"], "seed": 8})
    assert take["plan"] == first["plan"]
    assert (take["audio"] != first["audio"]).any()
    assert session.render({**recipe, "seed": 8})["plan"] != first["plan"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("please fail", "CUDA out of memory"),
        ("please be silent", "wrote no audio"),
        ("please be two", "2 songs where one"),
        ("please take another seed", "used the seed 12345 where 7"),
    ],
)
def test_refused_results(session: Session, recipe: dict[str, Any], words: str, message: str) -> None:
    with pytest.raises(RenderFailed, match=message) as caught:
        session.render({**recipe, "caption": words})
    assert caught.value.reason == "engine"
    assert session.render(recipe)["seed"] == 7


def test_nan_reaches_the_gates(session: Session, recipe: dict[str, Any]) -> None:
    import numpy as np

    assert np.isnan(session.render({**recipe, "caption": "please be nan"})["audio"]).all()


def test_older_tree_lacks_fields(checkout: Path, options, start, recipe, tmp_path: Path) -> None:
    source = checkout / "acestep" / "inference.py"
    lines = source.read_text().splitlines(keepends=True)
    source.write_text("".join(line for line in lines if not line.startswith(("    dcw_", "    sampler_mode"))))
    session = Session(
        start(describe(options(acestep_dir=str(checkout)))), tmp_path / "worker.log", tmp_path / "scratch0"
    )
    assert session.render(recipe)["warnings"] == ["upstream has no dcw_enabled", "upstream has no sampler_mode"]


def test_users_own_settings_of_upstream_win(checkout: Path, options, start, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ACESTEP_VAE_DECODE_CHUNK_SIZE", "64")
    monkeypatch.setenv("ACESTEP_VAE_ON_CPU", "1")
    monkeypatch.setenv("ACESTEP_API_KEY", "secret")
    session = Session(start(describe(options(acestep_dir=str(checkout)))), tmp_path / "worker.log", tmp_path)
    seen = session.notes("init")[0]["environment"]
    assert (seen["ACESTEP_VAE_DECODE_CHUNK_SIZE"], seen["ACESTEP_VAE_ON_CPU"]) == ("64", "1")
    assert "ACESTEP_API_KEY" not in seen


def test_fallback_of_the_planner_is_reported(checkout: Path, options, start) -> None:
    spec = describe(options(acestep_dir=str(checkout)))
    worker = start(
        type(spec)(
            **{**{name: getattr(spec, name) for name in spec.__slots__}, "config": {**spec.config, "backend": "vllm"}}
        )
    )
    assert worker.info["planner_backend"] == "pt"
    assert worker.info["warnings"] == ["the planner runs on 'pt', since 'vllm' did not start"]


def test_long_caption_is_refused_before_the_first_song(session: Session, recipe: dict[str, Any]) -> None:
    long = {**recipe, "caption": "dhol " * 300, "lyrics": "la " * 3000}
    text, lyrics = session.worker.call("check", {"recipes": [recipe, long]}, deadline=60.0)
    assert "'dhol-party'" in text and "256" in text
    assert "'pa'" in lyrics and "2048" in lyrics


def test_start_that_fails_is_told(checkout: Path, options, start) -> None:
    (checkout / "checkpoints" / "acestep-v15-turbo-broken").mkdir()
    shutil.copy(
        checkout / "checkpoints" / "vae" / "model.safetensors", checkout / "checkpoints" / "acestep-v15-turbo-broken"
    )
    with pytest.raises(MissingPrerequisite, match="no such thing"):
        start(describe(options(acestep_dir=str(checkout), model="acestep-v15-turbo-broken")))


def test_identity_follows_code_and_weights(checkout: Path, options) -> None:
    first = describe(options(acestep_dir=str(checkout)))
    assert describe(options(acestep_dir=str(checkout))).revision == first.revision
    source = checkout / "acestep" / "inference.py"
    source.write_text(source.read_text() + "\n# changed\n")
    second = describe(options(acestep_dir=str(checkout)))
    assert second.revision != first.revision
    weights = checkout / "checkpoints" / "vae" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert describe(options(acestep_dir=str(checkout))).revision not in (first.revision, second.revision)
    assert str(checkout) not in second.revision


def test_linked_checkpoints_are_readable(checkout: Path, options, start, recipe, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk"
    (checkout / "checkpoints").rename(elsewhere)
    (checkout / "checkpoints").symlink_to(elsewhere)
    session = Session(
        start(describe(options(acestep_dir=str(checkout)))), tmp_path / "worker.log", tmp_path / "scratch0"
    )
    assert session.render(recipe)["seed"] == 7


def test_missing_pieces_name_the_command(checkout: Path, options, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(UsageError, match="--acestep-dir") as caught:
        describe(options())
    assert "git clone" in str(caught.value.next_step)
    with pytest.raises(MissingPrerequisite, match="not a folder"):
        describe(options(acestep_dir=str(tmp_path / "nowhere")))
    with pytest.raises(MissingPrerequisite, match="no checkout"):
        describe(options(acestep_dir=str(tmp_path)))
    for model in ("../acestep-v15-turbo", "a+b+", ""):
        if model:
            with pytest.raises((UsageError, CheckpointError)):
                describe(options(acestep_dir=str(checkout), model=model))
    with pytest.raises(CheckpointError, match=r"no acestep-5Hz-lm-4B") as missing:
        describe(options(acestep_dir=str(checkout), model="acestep-v15-turbo+acestep-5Hz-lm-4B"))
    assert "acestep-download --model acestep-5Hz-lm-4B" in str(missing.value.next_step)
    shutil.rmtree(checkout / "checkpoints" / "vae")
    with pytest.raises(CheckpointError, match="no vae"):
        describe(options(acestep_dir=str(checkout)))
    monkeypatch.setattr("optimizer.rendering.acestep_native.PYTHONS", ("3.9",))
    with pytest.raises(MissingPrerequisite, match=r"needs 3\.9"):
        describe(options(acestep_dir=str(checkout)))
    shutil.rmtree(checkout / ".venv")
    with pytest.raises(MissingPrerequisite, match=r"no \.venv/bin/python") as caught_python:
        describe(options(acestep_dir=str(checkout)))
    assert "uv sync" in str(caught_python.value.next_step)

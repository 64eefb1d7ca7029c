"""A song's way from file to score: encoder and head together, alone, in company, and on a panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch

from optimizer.errors import CheckpointError
from optimizer.scoring import open_scorer, prepare
from optimizer.scoring.ear import MertEar
from optimizer.scoring.heads import write_head
from optimizer.scoring.listener import Listener
from optimizer.scoring.panel import combine, named_parts


@pytest.fixture(scope="module")
def options(mert_folder: Path, head_file: Path) -> dict[str, Any]:
    return {"encoder": str(mert_folder), "head": str(head_file)}


@pytest.fixture(scope="module")
def banger(options: dict[str, Any]) -> Any:
    return open_scorer(prepare("banger", options))


@pytest.fixture(scope="module")
def reference(mert_folder: Path, head_module: Any) -> Callable[[Path], float]:
    """The published way: the whole file resampled as librosa does, transformers' classes, the head's module, clamp."""
    from transformers import HubertModel, Wav2Vec2FeatureExtractor

    model = HubertModel.from_pretrained(str(mert_folder), attn_implementation="eager").eval()
    features = Wav2Vec2FeatureExtractor.from_pretrained(str(mert_folder))

    def score(path: Path) -> float:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        samples = soxr.resample(samples.mean(axis=1), rate, 24_000, quality="HQ")
        inputs = features(samples[: 30 * 24_000], sampling_rate=24_000, return_tensors="pt")
        with torch.no_grad():
            number = head_module(model(**inputs).last_hidden_state.mean(1)).item()
        return min(10.0, max(0.0, number))

    return score


def test_agrees_with_the_published_way_one_by_one_and_in_a_mixed_folder(
    banger: Any, reference: Callable[[Path], float], songs: list[Path], tmp_path: Path, write_audio: Callable[..., Path]
) -> None:
    mixed = [
        *songs,
        write_audio(tmp_path / "long.flac", 31.0, 32_000, 2, seed=11),
        write_audio(tmp_path / "surround.wav", 1.5, 48_000, 6, seed=12),
        write_audio(tmp_path / "narrow.wav", 1.5, 8_000, seed=13),
        write_audio(tmp_path / "wide.wav", 1.0, 192_000, 2, seed=14),
        write_audio(tmp_path / "coded.mp3", 2.0, 44_100, 2, seed=15),
        write_audio(tmp_path / "blink.wav", 0.2, 44_100, seed=16),
    ]
    together = banger.score(mixed)
    for path, result in zip(mixed, together, strict=True):
        assert result["value"] == pytest.approx(reference(path), abs=1e-3), path.name
        assert banger.score([path])[0] == result
    assert len({round(result["value"], 4) for result in together}) == len(mixed)


def test_every_odd_file_gives_a_reason(banger: Any, songs: list[Path], tmp_path: Path) -> None:
    rate = 24_000
    odd = {name: tmp_path / f"{name}.wav" for name in ("empty", "missing", "text", "silent", "nan", "header", "blip")}
    odd["empty"].touch()
    odd["text"].write_text("this is no music" * 99)
    soundfile.write(odd["silent"], np.zeros(rate), rate)
    soundfile.write(odd["nan"], np.full(rate, np.nan, dtype=np.float32), rate, subtype="FLOAT")
    odd["header"].write_bytes(songs[0].read_bytes()[:44])
    soundfile.write(odd["blip"], np.random.default_rng(0).uniform(-0.5, 0.5, 100), rate)
    results = banger.score([*odd.values(), songs[0], tmp_path])
    reasons = {name: result["error"] for name, result in zip(odd, results, strict=False)}
    for name, words in {
        "empty": "empty",
        "missing": "No such file",
        "text": "cannot be read",
        "silent": "silent",
        "nan": "not numbers",
        "header": "cannot be read",
        "blip": "too short",
    }.items():
        assert words in reasons[name], name
    assert "value" in results[-2]
    assert "not a regular file" in results[-1]["error"]


def test_parts_and_embedding(banger: Any, songs: list[Path]) -> None:
    (result,) = banger.score(songs[:1])
    assert set(result["parts"]) == {"banger", "raw"}
    assert result["parts"]["banger"] == result["value"]
    assert len(result["embedding"]) == 32 and all(type(number) is float for number in result["embedding"])
    assert "curve" not in result


def test_a_panel_hears_once_and_keeps_its_parts(
    options: dict[str, Any], jury_file: Path, songs: list[Path], monkeypatch: pytest.MonkeyPatch, banger: Any
) -> None:
    heard: list[Path] = []
    original = MertEar.hear
    monkeypatch.setattr(MertEar, "hear", lambda self, paths: heard.extend(paths) or original(self, paths))
    panel = open_scorer(prepare(f"banger+tunejury:{jury_file}:0.5", options))
    results = panel.score(songs)
    assert heard == songs
    jury = open_scorer(prepare("tunejury", {**options, "head": str(jury_file)})).score(songs)
    for result, one, two in zip(results, banger.score(songs), jury, strict=True):
        assert result["parts"]["banger"] == one["value"]
        assert result["parts"]["tunejury"] == two["value"]
        assert result["parts"]["tunejury.raw"] == two["parts"]["raw"]
        assert result["value"] == pytest.approx((one["value"] + 0.5 * two["value"]) / 1.5)
        assert result["embedding"] == one["embedding"]


def test_a_panel_of_different_kinds(options: dict[str, Any], songs: list[Path], tmp_path: Path) -> None:
    panel = open_scorer(prepare("acoustic+banger:3", options))
    (tmp_path / "broken.wav").touch()
    result, broken = panel.score([songs[0], tmp_path / "broken.wav"])
    (acoustic,) = open_scorer(prepare("acoustic")).score(songs[:1])
    assert result["value"] == pytest.approx((acoustic["value"] + 3 * result["parts"]["banger"]) / 4)
    assert "acoustic.tempo" in result["parts"] and "banger.raw" in result["parts"]
    # The embedding that other heads can judge, as the spec says.
    assert len(result["embedding"]) == 32
    assert prepare("acoustic+banger:3", options).encoder == prepare("banger", options).encoder
    assert "empty" in broken["error"] and ";" not in broken["error"]


def test_a_panels_errors_name_the_judges() -> None:
    good, bad = {"value": 5.0}, {"error": "hiss"}
    assert combine([("a", 1.0, good), ("b", 1.0, bad)]) == {"error": "hiss"}
    both = combine([("a", 1.0, {"error": "hum"}), ("b", 1.0, bad)])
    assert both == {"error": "a: hum; b: hiss"}
    assert named_parts("a", {"value": 2, "parts": {"a": 2, "raw": 1}}) == {"a": 2.0, "a.raw": 1.0}


def test_all_windows_give_a_mean_and_a_curve(
    options: dict[str, Any], tmp_path: Path, write_audio: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimizer.scoring.windows.SHORTEST_TAIL", 1.0)
    song = write_audio(tmp_path / "song.wav", 61.5, 24_000, seed=3)
    samples, rate = soundfile.read(song, dtype="float32")
    pieces = []
    for piece in range(3):
        pieces.append(tmp_path / f"{piece}.wav")
        soundfile.write(pieces[-1], samples[piece * 30 * rate : (piece + 1) * 30 * rate], rate)
    whole = open_scorer(prepare("banger", {**options, "window": "all"}))
    (result,) = whole.score([song])
    apart = open_scorer(prepare("banger", options)).score(pieces)
    assert result["curve"] == pytest.approx([part["value"] for part in apart], abs=1e-4)
    mean = np.average([part["embedding"] for part in apart], axis=0, weights=[30, 30, 1.5])
    assert result["embedding"] == pytest.approx(list(mean), abs=1e-5)
    assert open_scorer(prepare("banger", {**options, "window": "middle"})).score([song])[0]["value"] != result["value"]


def test_decoding_ahead_changes_nothing(options: dict[str, Any], songs: list[Path], banger: Any) -> None:
    ahead = open_scorer(prepare("banger", {**options, "jobs": 3}))
    assert ahead.score(songs * 3) == banger.score(songs) * 3


def test_bfloat16_is_recorded_and_near(options: dict[str, Any], songs: list[Path], banger: Any) -> None:
    spec = prepare("banger", {**options, "dtype": "bfloat16", "threads": 1})
    listener = Listener()
    info = listener.load(dict(spec.config))
    assert (info["dtype"], info["threads"], info["do_normalize"], info["window"]) == ("bfloat16", 1, True, "first")
    assert {"torch", "transformers", "device", "sample_rate", "head", "encoder"} <= set(info)
    exact = banger.score(songs)
    for near, far in zip(listener.score(songs), exact, strict=True):
        assert near["value"] != far["value"]
        assert near["value"] == pytest.approx(far["value"], abs=0.2)


def test_a_head_for_another_encoder_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"net.0.weight": torch.ones(1, 1024), "net.0.bias": torch.ones(1)}, tmp_path / "big.pt")
    with pytest.raises(CheckpointError, match="embeddings of 1024 numbers; this encoder gives 32"):
        open_scorer(prepare("banger", {**options, "head": str(tmp_path / "big.pt")}))


def test_a_trained_head_hears_its_own_layers(options: dict[str, Any], songs: list[Path], tmp_path: Path) -> None:
    encoder = prepare("banger", options).identity["encoder"]
    weights = np.random.default_rng(0).standard_normal((1, 128))
    config = {"name": "calm", "encoder": encoder, "layers": [1, -1], "spread": True, "target": {"kind": "logistic"}}
    write_head(tmp_path / "folder", config, {"members.0.net.0.weight": weights, "members.0.net.0.bias": np.zeros(1)})
    spec = prepare(str(tmp_path / "folder"), {"encoder": options["encoder"]})
    assert spec.identity["name"] == "calm"
    assert spec.encoder != prepare("banger", options).encoder
    (result,) = open_scorer(spec).score(songs[:1])
    assert len(result["embedding"]) == 128
    assert result["value"] == pytest.approx(10 / (1 + np.exp(-weights[0] @ result["embedding"])), abs=1e-5)
    panel = open_scorer(prepare(f"{tmp_path / 'folder'}:2+banger", options))
    parts = panel.score(songs[:1])[0]["parts"]
    assert parts["calm"] == result["value"]
    assert "banger" in parts


def test_a_trained_head_refuses_another_encoder(options: dict[str, Any], tmp_path: Path) -> None:
    config = {"encoder": "m-a-p/MERT-v1-330M@0e06", "target": {"kind": "clamp"}}
    write_head(tmp_path / "h", config, {"members.0.net.0.weight": np.ones((1, 32)), "members.0.net.0.bias": np.ones(1)})
    with pytest.raises(CheckpointError, match="was trained on m-a-p/MERT-v1-330M@0e06"):
        prepare(str(tmp_path / "h"), {"encoder": options["encoder"]})


def test_two_judges_of_one_name_are_refused(options: dict[str, Any], head_file: Path, jury_file: Path) -> None:
    from optimizer.errors import UsageError

    with pytest.raises(UsageError, match="call themselves 'banger'"):
        prepare(f"banger:{head_file}+banger:{jury_file}", {"encoder": options["encoder"]})

"""What every scorer keeps: values from 0 to 10, the same alone and in company, a reason for every file it cannot judge.

To put another scorer under this contract, write a fixture that returns it loaded, and add its name to `SCORERS`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from optimizer.scoring import Scorer, open_scorer, prepare
from optimizer.scoring.acoustic import AcousticScorer
from optimizer.scoring.heads import write_head

SCORERS = ["acoustic", "banger", "whole_song", "panel", "emotion", "class_of_three", "clap", "audiobox"]

RATE = 24_000


@pytest.fixture(scope="module")
def acoustic() -> Scorer:
    scorer = AcousticScorer()
    scorer.load({})
    return scorer


@pytest.fixture(scope="module")
def banger(mert_folder: Path, head_file: Path) -> Scorer:
    """A head on MERT; the first 30 s."""
    return open_scorer(prepare("banger", {"encoder": mert_folder, "head": head_file}))


@pytest.fixture(scope="module")
def whole_song(mert_folder: Path, jury_file: Path) -> Scorer:
    """Another head on all of the song, in half precision."""
    options = {"encoder": mert_folder, "head": jury_file, "window": "all", "dtype": "bfloat16"}
    return open_scorer(prepare("tunejury", options))


@pytest.fixture(scope="module")
def panel(mert_folder: Path, head_file: Path, jury_file: Path) -> Scorer:
    options = {"encoder": mert_folder, "head": head_file}
    return open_scorer(prepare(f"acoustic+banger:2+tunejury:{jury_file}:0.5", options))


@pytest.fixture(scope="module")
def emotion(mert_folder: Path, head_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """Two heads on one embedding, and a point between what they can say."""
    folder = tmp_path_factory.mktemp("emotion")
    encoder = prepare("banger", {"encoder": mert_folder, "head": head_file}).identity["encoder"]
    for axis, seed in (("valence", 1), ("arousal", 2)):
        weights = np.random.default_rng(seed).standard_normal((1, 32)) / 4
        tensors = {"members.0.net.0.weight": weights, "members.0.net.0.bias": np.full(1, 5.0)}
        write_head(folder / axis, {"encoder": encoder, "target": {"kind": "clamp"}}, tensors)
    (folder / "emotion.json").write_text('{"references": {"calm": [6.89, 1.67]}, "scale": [1, 9]}')
    return open_scorer(prepare(f"emotion:{folder}:calm", {"encoder": mert_folder}))


@pytest.fixture(scope="module")
def class_of_three(mert_folder: Path, head_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A classifier's folder, judging by one class, on what MERT hears."""
    folder = tmp_path_factory.mktemp("classes")
    encoder = prepare("banger", {"encoder": mert_folder, "head": head_file}).identity["encoder"]
    config = {
        "encoder": encoder,
        "kind": "classifier",
        "classes": ["funk", "Nan", "r+b"],
        "target": {"kind": "softmax"},
    }
    random = np.random.default_rng(3)
    tensors = {f"members.{m}.net.0.{word}": random.standard_normal((3, 32) if word == "weight" else 3) / 4
               for m in range(2) for word in ("weight", "bias")}  # fmt: skip
    write_head(folder, config, tensors)
    return open_scorer(prepare(f"{folder}:Nan", {"encoder": mert_folder}))


@pytest.fixture(scope="module")
def clap(clap_folder: Path) -> Scorer:
    return open_scorer(prepare("clap:bright bhangra with dhol", {"clap": clap_folder}))


@pytest.fixture(scope="module")
def audiobox(audiobox_folder: Path) -> Scorer:
    return open_scorer(prepare("audiobox", {"audiobox": audiobox_folder}))


@pytest.fixture(params=SCORERS)
def scorer(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def song(seed: int, seconds: float = 2.0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """A beat and a chord of noise-shaped plucks; each seed another song."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    beat = np.exp(-12.0 * (time % (60.0 / random.uniform(80, 140))))
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in random.uniform(80, 900, 4))
    sound = 0.1 * tones * beat + 0.02 * random.standard_normal(len(time))
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("songs")
    paths = []
    # Two lengths, so that a scorer that batches must take them apart.
    for seed, seconds in enumerate([2.0, 1.3, 2.0, 1.3]):
        paths.append(folder / f"{seed}.wav")
        soundfile.write(paths[-1], song(seed, seconds), RATE)
    return paths


def test_values_and_parts_are_finite(scorer: Scorer, songs: list[Path]) -> None:
    results = scorer.score(songs)
    assert len(results) == len(songs)
    for result in results:
        assert type(result["value"]) is float
        assert 0.0 <= result["value"] <= 10.0
        assert result["parts"]
        for name, part in result["parts"].items():
            assert isinstance(name, str)
            assert type(part) is float
            assert math.isfinite(part)


def test_parts_have_the_same_names_for_every_song(scorer: Scorer, songs: list[Path]) -> None:
    names = {tuple(result["parts"]) for result in scorer.score(songs)}
    assert len(names) == 1


def test_embeddings_have_one_length(scorer: Scorer, songs: list[Path]) -> None:
    embeddings = [result.get("embedding") for result in scorer.score(songs)]
    if embeddings[0] is None:
        assert all(embedding is None for embedding in embeddings)
        return
    assert len({len(embedding) for embedding in embeddings}) == 1
    assert all(type(number) is float and math.isfinite(number) for e in embeddings for number in e)
    assert not np.allclose(embeddings[0], embeddings[1])


def test_the_same_alone_and_in_company_and_in_any_order(scorer: Scorer, songs: list[Path]) -> None:
    together = scorer.score(songs)
    backwards = scorer.score(songs[::-1])[::-1]
    for path, result, other in zip(songs, together, backwards, strict=True):
        (alone,) = scorer.score([path])
        for again in (alone, other):
            assert again["value"] == pytest.approx(result["value"], abs=1e-4)
            assert again["parts"] == pytest.approx(result["parts"], abs=1e-4)


def test_different_songs_score_differently(scorer: Scorer, songs: list[Path]) -> None:
    assert len({round(result["value"], 9) for result in scorer.score(songs)}) > 1


def test_a_broken_file_has_a_reason_and_spoils_no_other(scorer: Scorer, songs: list[Path], tmp_path: Path) -> None:
    broken = {name: tmp_path / f"{name}.wav" for name in ("empty", "missing", "garbage", "silent", "cut", "nan")}
    broken["empty"].touch()
    broken["garbage"].write_bytes(np.random.default_rng(0).bytes(4_000))
    soundfile.write(broken["silent"], np.zeros((2 * RATE, 2)), RATE)
    broken["cut"].write_bytes(songs[0].read_bytes()[:20_000])
    spoiled = song(1)
    spoiled[100] = np.nan
    soundfile.write(broken["nan"], spoiled, RATE, subtype="FLOAT")

    mixed = [songs[0], *broken.values(), songs[1]]
    results = scorer.score(mixed)
    assert len(results) == len(mixed)
    for name, result in zip(broken, results[1:-1], strict=True):
        assert set(result) == {"error"}, name
        assert isinstance(result["error"], str) and result["error"], name
    first, second = scorer.score(songs[:2])
    assert results[0]["value"] == pytest.approx(first["value"], abs=1e-4)
    assert results[-1]["value"] == pytest.approx(second["value"], abs=1e-4)


@pytest.mark.parametrize(
    ("ending", "rate", "channels", "seconds"),
    [
        ("wav", 8_000, 1, 2.0),
        ("wav", 192_000, 2, 1.0),
        ("wav", 48_000, 6, 1.0),
        ("flac", 44_100, 2, 1.0),
        ("mp3", 48_000, 2, 1.0),
        ("wav", 48_000, 2, 0.2),
        ("wav", 8_000, 1, 0.2),
    ],
)
def test_every_format_gives_a_score(
    scorer: Scorer, tmp_path: Path, ending: str, rate: int, channels: int, seconds: float
) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, song(5, seconds, rate, channels), rate)
    (result,) = scorer.score([path])
    assert 0.0 <= result["value"] <= 10.0


def test_no_files_no_results(scorer: Scorer) -> None:
    assert scorer.score([]) == []

"""The embedded scorer: the documented formula, its direction, its independence, and what it says of itself."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from optimizer.errors import UsageError
from optimizer.scoring import acoustic
from optimizer.scoring.acoustic import CURVES, AcousticScorer, describe
from optimizer.scoring.features import RATE, measure


@pytest.fixture(scope="module")
def scorer() -> AcousticScorer:
    scorer = AcousticScorer()
    scorer.load({})
    return scorer


def song(seconds: float = 6.0, bpm: float = 120.0, seed: int = 0) -> np.ndarray:
    """A kick on every beat, a hat between, and a chord."""
    random = np.random.default_rng(seed)
    clock = np.arange(int(seconds * RATE)) / RATE
    beat = clock % (60.0 / bpm)
    hat = np.exp(-60 * ((clock + 30.0 / bpm) % (60.0 / bpm))) * random.standard_normal(len(clock))
    kick = np.exp(-10 * beat) * np.sin(2 * np.pi * 55 * beat)
    chord = sum(np.sin(2 * np.pi * hertz * clock) for hertz in (220.0, 261.6, 329.6))
    return (0.3 * kick + 0.05 * hat + 0.03 * chord).astype(np.float32)


def test_the_value_is_the_weighted_mean_of_the_parts(scorer: AcousticScorer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(), RATE, subtype="FLOAT")
    (result,) = scorer.score([tmp_path / "song.wav"])
    measured = measure(song())
    assert set(result["parts"]) == set(CURVES)
    for name, curve in CURVES.items():
        steps = (getattr(measured, curve.feature) - curve.middle) / curve.width
        assert result["parts"][name] == pytest.approx(10 / (1 + math.exp(-steps)), abs=1e-9)
    expected = sum(curve.weight * result["parts"][name] for name, curve in CURVES.items())
    assert result["value"] == pytest.approx(expected, abs=1e-9)
    assert sum(curve.weight for curve in CURVES.values()) == pytest.approx(1.0)


def test_each_part_moves_with_its_sound(scorer: AcousticScorer, tmp_path: Path) -> None:
    plain = song()
    spectrum = np.fft.rfft(plain)
    hertz = np.fft.rfftfreq(len(plain), 1 / RATE)
    changed = {
        "low_end": np.fft.irfft(spectrum * (hertz > 150)),
        "brightness": np.fft.irfft(spectrum * (hertz < 1500)),
        "loudness": plain + np.eye(1, len(plain), 3000)[0],
        "density": song(bpm=60.0),
        "pulse": song() + 0.3 * np.random.default_rng(2).standard_normal(len(plain)),
        "tempo": song(bpm=75.0),
    }
    for name, samples in {"plain": plain, **changed}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    before, *after = scorer.score([tmp_path / f"{name}.wav" for name in ("plain", *changed)])
    for name, result in zip(changed, after, strict=True):
        assert result["parts"][name] < before["parts"][name], name


def test_only_the_first_half_minute_is_heard(scorer: AcousticScorer, tmp_path: Path) -> None:
    long = song(33.0)
    other = long.copy()
    other[31 * RATE :] = 0.5 * np.random.default_rng(0).standard_normal(2 * RATE)
    for name, samples in (("a", long), ("b", other)):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    first, second = scorer.score([tmp_path / "a.wav", tmp_path / "b.wav"])
    assert first == second


def test_the_format_hardly_matters(scorer: AcousticScorer, tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac", "c.mp3"):
        soundfile.write(tmp_path / name, song(), RATE)
    wav, flac, mp3 = scorer.score([tmp_path / name for name in ("a.wav", "b.flac", "c.mp3")])
    assert flac["value"] == pytest.approx(wav["value"], abs=1e-3)
    assert mp3["value"] == pytest.approx(wav["value"], abs=0.3)


def test_two_processes_agree(scorer: AcousticScorer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(), RATE)
    code = (
        "import sys; from pathlib import Path; from optimizer.scoring.acoustic import AcousticScorer\n"
        "print(repr(AcousticScorer().score([Path(sys.argv[1])])[0]['value']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "song.wav")], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(scorer.score([tmp_path / "song.wav"])[0]["value"], abs=1e-6)


def test_silence_and_damage_are_named(scorer: AcousticScorer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "damaged.wav").write_bytes(b"RIFF")
    silent, damaged = scorer.score([tmp_path / "silent.wav", tmp_path / "damaged.wav"])
    assert "silent.wav is silent" in silent["error"]
    assert "damaged.wav cannot be read" in damaged["error"]


def test_the_embedding_has_the_documented_shape() -> None:
    vector = acoustic.embedding(measure(song()))
    assert vector.shape == (84,)
    assert vector.dtype == np.float32


def test_alike_songs_lie_closer_than_unlike_ones() -> None:
    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        first, second = (acoustic.embedding(measure(x)) for x in (one, other))
        return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    noise = 0.1 * np.random.default_rng(0).standard_normal(6 * RATE).astype(np.float32)
    assert cosine(song(seed=0), song(seed=1)) > 0.95
    assert cosine(song(), song(bpm=80)) < cosine(song(seed=0), song(seed=1))
    assert cosine(song(), noise) < cosine(song(), song(bpm=80))


def test_thirty_seconds_are_judged_quickly(scorer: AcousticScorer, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.flac", np.repeat(song(30.0)[:, None], 2, axis=1), 48_000)
    before = time.process_time()
    scorer.score([tmp_path / "song.flac"])
    assert time.process_time() - before < 1.0


def test_describing_is_light_and_says_what_it_is() -> None:
    spec = describe(None, {"device": "auto", "window": None})
    assert spec.text == "acoustic"
    assert spec.target == "optimizer.scoring.acoustic:AcousticScorer"
    assert spec.encoder == f"acoustic-{acoustic.VERSION}"
    assert spec.identity["revision"] == acoustic.VERSION
    assert "stand-in" in (acoustic.__doc__ or "").splitlines()[0]
    heavy = ["scipy", "librosa", "numba", "torch", "soundfile", "soxr", "pandas"]
    code = (
        "import sys; from optimizer.scoring.acoustic import describe; describe(None, {});"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_it_does_not_take_is_refused() -> None:
    with pytest.raises(UsageError, match="takes no argument, but 'calm'"):
        describe("calm", {})
    with pytest.raises(UsageError, match="'middle' must be 'first'"):
        describe(None, {"window": "middle"})

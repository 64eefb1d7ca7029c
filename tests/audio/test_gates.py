"""The gates: what is refused, with which reason, and what passes although it looks odd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from optimizer import audio
from optimizer.audio import Sound
from optimizer.errors import BadAudio

RATE = 48_000


def music(seconds: float = 4.0, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(3).standard_normal((int(seconds * RATE), 2)).astype(np.float32)


def refused(samples: np.ndarray, **expectations: float) -> str:
    with pytest.raises(BadAudio) as caught:
        audio.check(Sound(samples, RATE), **expectations)
    return caught.value.reason


def test_good_audio_passes_and_is_returned(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, music(), RATE, subtype="FLOAT")
    sound = audio.check(path, expected_duration=4.0, expected_rate=RATE)
    np.testing.assert_array_equal(sound.samples, music())
    assert sound.rate == RATE


def test_silence() -> None:
    assert refused(np.zeros((RATE, 2), np.float32)) == "silence"
    assert refused(music(level=1e-4)) == "silence"
    assert refused(np.full((RATE, 2), 0.5, np.float32)) == "silence"
    audio.check(Sound(music(level=3e-3), RATE))


def test_silent_for_most_of_its_length() -> None:
    samples = music(4.0)
    samples[int(1.9 * RATE) :] = 0.0
    assert refused(samples) == "silence"
    samples = music(4.0)
    samples[int(2.5 * RATE) :] = 0.0
    audio.check(Sound(samples, RATE))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number(value: float) -> None:
    samples = music()
    samples[100, 1] = value
    assert refused(samples) == "nan"


@pytest.mark.parametrize("seconds", [3.7, 4.3, 0.1])
def test_wrong_length(seconds: float) -> None:
    assert refused(music(seconds), expected_duration=4.0) == "duration"


@pytest.mark.parametrize("seconds", [3.8, 4.2])
def test_an_engines_rounding_is_allowed(seconds: float) -> None:
    audio.check(Sound(music(seconds), RATE), expected_duration=4.0)


def test_half_of_a_short_clip_may_not_be_missing() -> None:
    assert refused(music(0.09), expected_duration=0.2) == "duration"
    audio.check(Sound(music(0.2), RATE), expected_duration=0.2)


def test_a_far_too_long_file_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    soundfile.write(path, music(9.0), RATE)
    with pytest.raises(BadAudio) as caught:
        audio.check(path, expected_duration=4.0)
    assert caught.value.reason == "duration"


def test_wrong_rate() -> None:
    assert refused(music(), expected_rate=44_100) == "sample-rate"


def test_clipped_flat() -> None:
    assert refused(np.clip(50 * music(), -1, 1)) == "clipped"
    assert refused(np.clip(50 * music(), -3, 3)) == "clipped"
    audio.check(Sound(np.clip(3 * music(), -1, 1), RATE))


def test_a_loud_sine_and_a_soft_square_wave_are_not_clipped() -> None:
    sine = np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE).astype(np.float32)[:, None]
    audio.check(Sound(sine, RATE))
    audio.check(Sound(0.5 * np.sign(sine + 1e-6), RATE))
    # Every other sample is a peak here, but no two in a row.
    audio.check(Sound(np.tile(np.float32([0, 1, 0, -1]), RATE // 4)[:, None], RATE))


def test_empty() -> None:
    assert refused(np.zeros((0, 2), np.float32)) == "unreadable"

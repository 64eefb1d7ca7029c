"""Loudness and true peak against the test signals of EBU Tech 3341, and the one gain that brings a song to a target."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optimizer import audio
from optimizer.errors import BadAudio


def sine(level_dbfs: float, seconds: float, rate: int = 48_000, hertz: float = 1000.0, channels: int = 2) -> np.ndarray:
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def sequence(*parts: tuple[float, float]) -> np.ndarray:
    return np.concatenate([sine(level, seconds) for level, seconds in parts])


# EBU Tech 3341 (2016), table 1: the minimum requirements test signals 1 to 6, each +-0.1 LU.
@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_ebu_3341_stereo(signal: list[tuple[float, float]], expected: float) -> None:
    assert audio.loudness(sequence(*signal), 48_000) == pytest.approx(expected, abs=0.1)


def test_ebu_3341_surround() -> None:
    # Case 6: left and right -28, centre -24, surrounds -30 dBFS; what is in the LFE channel does not count.
    levels = [-28, -28, -24, -6, -30, -30]
    samples = np.concatenate([sine(level, 20, channels=1) for level in levels], axis=1)
    assert audio.loudness(samples, 48_000) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000, 192_000])
def test_any_sample_rate(rate: int) -> None:
    assert audio.loudness(sine(-23, 3, rate), rate) == pytest.approx(-23.0, abs=0.15)


def test_mono_counts_one_channel() -> None:
    assert audio.loudness(sine(-20, 3, channels=1)[:, 0], 48_000) == pytest.approx(-23.0, abs=0.1)


def test_short_silent_and_many_channels() -> None:
    assert audio.loudness(sine(-23, 0.2), 48_000) == pytest.approx(-23.0, abs=0.2)
    assert audio.loudness(np.zeros((48_000, 2), np.float32), 48_000) == -math.inf
    assert audio.loudness(sine(-80, 2), 48_000) == -math.inf
    with pytest.raises(BadAudio):
        audio.loudness(sine(-20, 1, channels=8), 48_000)


# EBU Tech 3341, table 2, cases 15 to 19: sines whose peaks fall between the samples; +0.2 / -0.4 dB.
@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45, 1.41, 3.0)],
)
def test_ebu_3341_true_peak(divisor: int, degrees: float, amplitude: float, expected: float) -> None:
    count = 48_000
    wave = amplitude * np.sin(2 * np.pi * np.arange(count) / divisor + np.radians(degrees))
    fade = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / 4800)
    measured = audio.true_peak((wave * fade).astype(np.float32), 48_000)
    assert expected - 0.4 <= measured <= expected + 0.2


def test_true_peak_of_silence() -> None:
    assert audio.true_peak(np.zeros((100, 2), np.float32), 48_000) == -math.inf


def test_normalising_reaches_the_target() -> None:
    samples, gain = audio.normalise_loudness(sine(-30, 5), 48_000, -14.0)
    assert gain == pytest.approx(16.0, abs=0.1)
    assert audio.loudness(samples, 48_000) == pytest.approx(-14.0, abs=0.05)
    samples, gain = audio.normalise_loudness(sine(-5, 5), 48_000, -14.0)
    assert gain == pytest.approx(-9.0, abs=0.1)


def test_the_true_peak_limit_wins_over_the_target() -> None:
    samples = sine(-30, 5)
    samples[48_000] = 0.5
    louder, gain = audio.normalise_loudness(samples, 48_000, -14.0, -1.0)
    assert audio.true_peak(louder, 48_000) == pytest.approx(-1.0, abs=0.01)
    assert audio.loudness(louder, 48_000) < -15.0
    np.testing.assert_allclose(louder, samples * 10 ** (gain / 20), rtol=1e-5)


def test_silence_is_left_alone() -> None:
    silence = np.zeros((48_000, 2), np.float32)
    samples, gain = audio.normalise_loudness(silence, 48_000)
    assert gain == 0.0
    np.testing.assert_array_equal(samples, silence)

"""Each measurement moves the way its name says, on signals made for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from optimizer.scoring import features
from optimizer.scoring.features import RATE, measure

SECONDS = 10


def noise(seconds: float = SECONDS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE)).astype(np.float32)


def clicks(bpm: float, jitter: float = 0.0) -> np.ndarray:
    """Short noise bursts on the beat, each moved by up to `jitter` beats, over faint noise."""
    random = np.random.default_rng(1)
    sound = 1e-3 * noise()
    burst = np.exp(-np.arange(400) / 80.0)
    for beat in np.arange(0.1, SECONDS - 0.5, 60.0 / bpm):
        start = int((beat + 60.0 / bpm * random.uniform(0, jitter)) * RATE)
        sound[start : start + 400] += burst * random.standard_normal(400)
    return sound.astype(np.float32)


def tone(hertz: float, seconds: float = SECONDS) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def chords(progression: Sequence[Sequence[int]]) -> np.ndarray:
    """Two seconds of each chord, given as MIDI pitches, each tone with three partials."""
    return np.concatenate(
        [
            sum(tone(440.0 * 2 ** ((pitch - 69) / 12) * k, 2.0) / k for pitch in chord for k in (1, 2, 3))  # type: ignore[misc]
            for chord in progression
        ]
    )


MAJOR = [(60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67)]
MINOR = [(60, 63, 67), (65, 68, 72), (67, 70, 74), (60, 63, 67)]


@pytest.mark.parametrize("bpm", [60, 75, 90, 120, 128, 150, 174])
def test_tempo_of_a_click_track(bpm: float) -> None:
    tempo = measure(clicks(bpm)).tempo
    assert min(abs(tempo / bpm - ratio) for ratio in (0.5, 1.0, 2.0)) < 0.02


def test_regular_clicks_have_a_clearer_pulse_than_scattered_ones() -> None:
    regular, loose, scattered = (measure(clicks(120, jitter)).pulse for jitter in (0.0, 0.2, 0.9))
    assert regular > 0.95
    assert regular > loose > scattered
    assert measure(noise()).pulse < 0.3


def test_a_held_tone_has_no_pulse() -> None:
    measured = measure(tone(220.0))
    assert measured.pulse < 0.05
    assert measured.tempo_strength < 0.05


def test_tempo_strength_falls_away_from_the_preferred_tempo() -> None:
    at = [measure(clicks(bpm)).tempo_strength for bpm in (125, 90, 65)]
    assert at[0] > at[1] > at[2]
    assert features.preference(125.0) == pytest.approx(1.0)
    assert features.preference(125.0 * 2**0.5) == pytest.approx(np.exp(-0.5))
    assert features.preference(125.0 / 2**0.5) == pytest.approx(np.exp(-0.5))


def test_low_pass_lowers_brightness_and_high_pass_lowers_the_low_end() -> None:
    spectrum = np.fft.rfft(noise())
    hertz = np.fft.rfftfreq(SECONDS * RATE, 1 / RATE)
    plain = measure(noise())
    dull = measure(np.fft.irfft(spectrum * (hertz < 1500)).astype(np.float32))
    thin = measure(np.fft.irfft(spectrum * (hertz > 600)).astype(np.float32))
    assert dull.high_db < plain.high_db - 10
    assert thin.low_db < plain.low_db - 10
    # White noise: 9025 of 11025 Hz lie above 2 kHz.
    assert plain.high_db == pytest.approx(10 * np.log10(9025 / 11025), abs=0.1)


def test_a_bass_raises_the_low_end() -> None:
    assert measure(noise() + 3 * tone(60.0)).low_db > measure(noise()).low_db + 6


def test_clipping_lowers_the_crest() -> None:
    assert measure(np.clip(noise(), -1, 1)).crest_db < measure(noise()).crest_db - 5
    assert measure(tone(1000.0)).crest_db == pytest.approx(3.01, abs=0.05)


def test_swells_raise_the_spread() -> None:
    swell = 10 ** ((20 * np.sin(2 * np.pi * 0.5 * np.arange(SECONDS * RATE) / RATE) - 20) / 20)
    assert measure((noise() * swell).astype(np.float32)).spread_db > measure(noise()).spread_db + 20


@pytest.mark.parametrize("bpm", [60, 120, 240])
def test_density_counts_onsets(bpm: float) -> None:
    assert measure(clicks(bpm)).density == pytest.approx(bpm / 60, rel=0.1)


def test_mode_tells_minor_from_major() -> None:
    major, minor = measure(chords(MAJOR)), measure(chords(MINOR))
    assert major.mode < -0.1
    assert minor.mode > 0.1
    assert min(major.clarity, minor.clarity) > 0.8 > measure(noise()).clarity


def test_chroma_follows_a_transposition() -> None:
    low = measure(chords(MAJOR)).chroma
    high = measure(chords([[pitch + 3 for pitch in chord] for chord in MAJOR])).chroma
    assert low.argmax() == 7 or low.argmax() == 0
    np.testing.assert_allclose(np.roll(low, 3), high, atol=0.06)
    assert low.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("gain", [0.001, 0.3, 10.0])
def test_level_does_not_matter(gain: float) -> None:
    sound = clicks(100) + 0.1 * chords(MAJOR + MINOR[:1])[: SECONDS * RATE]
    one, other = measure(sound), measure((sound * gain).astype(np.float32))
    for name in ("pulse", "tempo", "low_db", "high_db", "crest_db", "spread_db", "density", "mode", "clarity"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-3), name


def test_a_constant_offset_does_not_matter() -> None:
    assert measure(clicks(100) + 0.5).low_db == pytest.approx(measure(clicks(100)).low_db, abs=0.01)


@pytest.mark.parametrize("count", [2, 100, 1024, 1025, 4410])
def test_very_short_clips_are_measured(count: int) -> None:
    measured = measure(noise()[:count])
    assert np.isfinite(measured.mfcc_mean).all()
    assert np.isfinite([measured.pulse, measured.tempo, measured.low_db, measured.density, measured.mode]).all()

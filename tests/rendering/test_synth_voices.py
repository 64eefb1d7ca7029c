"""Instruments of the embedded engine: in tune, finite, of even level, quiet at both ends."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.rendering.synth.mix import duck, impulse
from optimizer.rendering.synth.voices import RATE, VOICES, NoteCache, shaping, signals

PITCHED = [
    "nylon", "steel", "banjo", "tumbi", "guzheng", "sitar", "harp", "clean", "santur", "marimba", "bell", "pluck",
    "piano", "epiano", "organ", "harmonium", "clavinet", "sub", "808", "bass-finger", "bass-pick", "bass-house",
    "supersaw", "pad", "lead-saw", "lead-square", "brass", "flute", "strings", "fiddle", "erhu", "guitar-crunch",
    "guitar-power", "singer-high", "rapper", "choir",
]  # fmt: skip


def partial_of(wave: np.ndarray, hz: float) -> float:
    """Frequency of the strongest line within a semitone of `hz`, by a parabola through the spectrum's peak."""
    mono = wave if wave.ndim == 1 else wave.sum(axis=0)
    size = 1 << 18
    tail = mono[RATE // 20 :] * np.hanning(len(mono) - RATE // 20)
    spectrum = np.abs(np.fft.rfft(tail, size))
    low, high = (round(hz * 2 ** (s / 12) * size / RATE) for s in (-1, 1))
    top = low + int(np.argmax(spectrum[low:high]))
    a, b, c = np.log(spectrum[top - 1 : top + 2] + 1e-12)
    return float((top + 0.5 * (a - c) / (a - 2 * b + c)) * RATE / size)


@pytest.mark.parametrize("name", PITCHED)
@pytest.mark.parametrize("pitch", [45.0, 62.0])
def test_pitched_voices_are_in_tune(name: str, pitch: float) -> None:
    hz = signals.hertz(pitch)
    heard = partial_of(NoteCache().play((name, pitch, 1.0, 0.5, 0, "|a|a")), hz)
    # Ten cents: the width of a chorus of detuned players.
    assert abs(1200 * np.log2(heard / hz)) < 10.0


@pytest.mark.parametrize("name", [name for name in VOICES if name.startswith(("kick", "tom", "dhol-bass"))])
@pytest.mark.parametrize("tonic", [0, 5, 10])
def test_drums_are_tuned_to_the_tonic(name: str, tonic: int) -> None:
    wave = NoteCache().play((name, 36.0 + tonic, 0.1, 0.5, 0, ""))
    # What is left after the stick and the drop in pitch.
    rest = wave[round(0.09 * RATE) :]
    spectrum = np.abs(np.fft.rfft(rest * np.hanning(len(rest)), 1 << 18))
    hz = float(np.argmax(spectrum) * RATE / (1 << 18))
    wanted = (tonic + (7 if name == "tom-mid" else 0)) % 12
    away = (12 * np.log2(hz / 440.0) + 69 - wanted + 6) % 12 - 6
    assert abs(away) < 0.5


@pytest.mark.parametrize("name", sorted(VOICES))
def test_voices_are_finite_and_end_quietly(name: str) -> None:
    for pitch, seconds, bright in ((33.0, 0.03, 0.0), (84.0, 0.4, 1.0)):
        wave = NoteCache().play((name, pitch, seconds, bright, 0, "s|a|i"))
        assert wave.dtype == np.float32
        assert wave.ndim == 1 or wave.shape[0] == 2
        assert np.isfinite(wave).all()
        assert 0.05 < np.max(np.abs(wave)) < 4.0
        assert np.max(np.abs(wave[..., -2:])) < 0.02


def test_a_bank_is_the_sum_of_its_sines() -> None:
    n, hz, decay = 5_000, 441.3, 0.08
    t = np.arange(n) / RATE
    exact = 0.7 * np.exp(-t / decay) * np.sin(2 * np.pi * hz * t + 0.3)
    assert np.max(np.abs(signals.bank(n, [hz, 25_000.0], [0.7, 1.0], [decay, 1.0], [0.3, 0.0]) - exact)) < 1e-5


def test_a_saw_has_little_aliasing() -> None:
    hz = 3_000.0
    wave = signals.saw(RATE, hz)
    power = np.abs(np.fft.rfft(wave)) ** 2
    harmonics = {round(hz * k) for k in range(1, 9)}
    outside = sum(power[k] for k in range(20, 12_000) if k not in harmonics)
    assert 10 * np.log10(outside / sum(power[k] for k in harmonics)) < -35.0


def test_filters_do_not_ring_before_the_sound() -> None:
    click = np.zeros(4_800, dtype=np.float32)
    click[2_400] = 1.0
    for response in (shaping.low_pass(300.0, 2.0), shaping.high_pass(300.0), shaping.band_pass(300.0, 3.0)):
        out = shaping.shape(click, response)
        assert np.max(np.abs(out[:2_390])) < 0.01 * np.max(np.abs(out))


def test_the_cache_forgets_what_was_not_used_and_changes_nothing() -> None:
    small, large = NoteCache(limit=1 << 17), NoteCache()
    sounds = [("steel", 50.0 + k, 0.5, 0.5, 0, "") for k in range(6)]
    for sound in (*sounds, *sounds):
        assert np.array_equal(small.play(sound), large.play(sound))
    assert sum(wave.nbytes for wave in small._waves.values()) <= 1 << 17
    with pytest.raises(ValueError, match="read-only"):
        large.play(sounds[0])[0] = 1.0


def test_ducking_drops_at_a_kick_and_recovers_without_a_jump() -> None:
    gain = duck([1_000, 9_000], 0, 30_000, 0.7, 0.2)
    assert gain[:1_000] == pytest.approx(1.0)
    assert gain[1_150] == pytest.approx(0.3, abs=0.02)
    assert gain[20_000] == pytest.approx(1.0, abs=0.01)
    assert np.max(np.abs(np.diff(gain))) < 0.01
    # A block that begins later sees the same curve.
    assert np.array_equal(duck([1_000, 9_000], 5_000, 10_000, 0.7, 0.2), gain[5_000:15_000])


def test_the_room_decays_by_sixty_decibels_in_its_time() -> None:
    room = impulse(1.2)
    power = np.cumsum(np.sum(room.astype(np.float64) ** 2, axis=0)[::-1])[::-1]
    curve = 10 * np.log10(power / power[0])
    early, late = (int(np.argmax(curve < level)) for level in (-5.0, -25.0))
    assert (late - early) / RATE * 3.0 == pytest.approx(1.2, rel=0.25)

"""The beat's phase: found within a fiftieth of a second where a drum tells it."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.export.beats import first_beat


def drums(bpm, offset, rate, seconds=8.0, hats=False):
    time = np.arange(int(seconds * rate)) / rate
    since = (time - offset) % (60 / bpm)
    sound = np.exp(-30 * since) * np.sin(2 * np.pi * 60 * since) * (time >= offset)
    if hats:
        between = (time - offset - 30 / bpm) % (60 / bpm)
        sound = sound + 0.5 * np.exp(-80 * between) * np.random.default_rng(0).standard_normal(len(time))
    return (sound + 0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


@pytest.mark.parametrize("rate", [22_050, 48_000])
@pytest.mark.parametrize(("bpm", "offset"), [(85, 0.2), (128, 0.0), (128, 0.31), (160, 0.1)])
def test_a_drum_tells_the_beat(bpm, offset, rate):
    found = first_beat(drums(bpm, offset, rate), rate, bpm)
    period = 60 / bpm
    error = (found - offset + period / 2) % period - period / 2
    assert 0 <= found < period
    assert abs(error) < 0.02


def test_cymbals_between_the_beats_do_not_win():
    assert first_beat(drums(120, 0.1, 44_100, hats=True), 44_100, 120) == pytest.approx(0.1, abs=0.02)


def test_two_channels_and_short_clips():
    mono = drums(120, 0.1, 44_100)
    assert first_beat(np.stack([mono, mono], axis=1), 44_100, 120) == first_beat(mono, 44_100, 120)
    assert first_beat(mono[:1000], 44_100, 120) == 0.0

"""Shrinkage: the model's estimate where there is one, and less error than the raw score where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.report.shrinkage import shrink


def test_keeps_the_models_own_estimate(make_song):
    found = shrink([make_song(0, 5.0, shrunken=4.2), make_song(1, 3.0)])
    assert found[0] == 4.2
    assert found[1] != 3.0


def test_comes_nearer_to_the_truth_than_the_score(make_song, make_recipe):
    rng = np.random.default_rng(0)
    truth, songs = [], []
    for style in range(8):
        effect = rng.normal(0, 0.4)
        for _ in range(8):
            own = rng.normal(0, 0.3)
            truth.append(4 + effect + own)
            recipe = make_recipe(style=f"s{style}", seed=len(songs))
            songs.append(make_song(len(songs), truth[-1] + rng.normal(0, 0.3), recipe))
    raw = np.array([song.value for song in songs])
    shrunken = shrink(songs)
    assert ((shrunken - truth) ** 2).mean() < 0.85 * ((raw - truth) ** 2).mean()
    best = int(raw.argmax())
    assert shrunken[best] < raw[best]


def test_a_single_song_is_its_own_estimate(make_song):
    assert shrink([make_song(0, 4.0)]).tolist() == [pytest.approx(4.0)]

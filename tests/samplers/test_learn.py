"""What carries over from other genres, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.samplers import Observation, learn
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import ADDITIVE, Model
from optimizer.samplers.observation import History
from optimizer.samplers.record import gather_history

GRID = Grid({"style": ("a", "b", "c", "d"), "bpm": (90, 100, 120, 140, 150), "key": tuple("CDEFG")})


def study(noise: float, strong: bool, seed: int, count: int = 100) -> tuple[Grid, list[Observation]]:
    random = np.random.default_rng(seed)
    sides = random.standard_normal((3, 5)) * (0.8 * noise if strong else 0.0)
    songs = []
    for number in range(count):
        levels = GRID.blocks[0].levels(np.array([number % 100]))[0]
        score = (
            3.0 + sum(sides[column, level] for column, level in enumerate(levels)) + noise * random.standard_normal()
        )
        songs.append(Observation(GRID.blocks[0].point(number % 100), float(score), number))
    return GRID, songs


def weight(model: Model, size: object) -> float:
    logs = np.array([log for _, log in model.sizes])
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    return float(weights[[own for own, _ in model.sizes].index(size)])  # type: ignore[arg-type]


def test_noise_and_sizes_are_learned() -> None:
    model = learn([study(0.2, True, seed) for seed in range(3)])
    assert abs(model.noise - 0.2) < 0.05
    additive = (ADDITIVE, ADDITIVE.scaled(2.5))
    assert sum(weight(model, size) - weight(Model(), size) for size in additive) > 0.3


def test_the_learned_noise_is_used_and_not_guessed_anew() -> None:
    model = learn([study(0.2, False, 1)])
    songs = [Observation(GRID.blocks[0].point(number), float(number), number) for number in range(4)]
    assert gather_history(GRID, History(4, songs), (), model).model.noise == model.noise


def test_effects_themselves_are_not_carried_over() -> None:
    grid, songs = study(0.2, True, 5)
    mirrored = [Observation(one.params, 6.0 - one.value, one.number) for one in songs]
    plain, turned = learn([(grid, songs)]), learn([(grid, mirrored)])
    assert [log for _, log in plain.sizes] == pytest.approx([log for _, log in turned.sizes], abs=1e-6)


def test_too_few_songs_change_nothing() -> None:
    assert learn([study(0.2, True, 1, count=5)]) == Model()

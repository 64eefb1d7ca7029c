"""Learn from other studies what carries over between genres: how large effects are, and how loud the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from optimizer.samplers.grid import Grid
from optimizer.samplers.model import NOISE_SONGS, Model
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.record import gather_history
from optimizer.samplers.threads import one_thread

TRUST = 0.5
"""Power to which other studies' evidence for a size counts: their genres are not this one."""
LEAST = 10
"""Songs below which a study is left out."""


def learn(studies: Sequence[tuple[Grid, Sequence[Observation]]], model: Model | None = None) -> Model:
    """Return a model whose sizes of effects and noise are weighted by earlier studies of the same objective.

    Which style, BPM or key was good is not carried over: on the benchmark that does harm (docs/search.md).

    Parameters
    ----------
    studies : sequence of (Grid, sequence of Observation)
        Of other genres; those with fewer than `LEAST` songs are left out.
    model : Model, optional
        To start from.
    """
    model = model or Model()
    logs = np.array([weight for _, weight in model.sizes])
    noises: list[tuple[float, int]] = []
    with one_thread():
        for grid, songs in studies:
            if len(songs) < LEAST:
                continue
            gathered = gather_history(grid, History(len(songs), tuple(songs)), (), replace(model, learned=False))
            plain = replace(gathered.model, sizes=tuple((size, 0.0) for size, _ in model.sizes))
            at = [own.points for own in gathered.evidence]
            beliefs, weights = plain.believe(grid.blocks, gathered.evidence, at, spread=False)
            logs = logs + TRUST * np.log(np.maximum(weights, 1e-12))
            noises += [
                (belief.noise, own.songs)
                for belief, own in zip(beliefs, gathered.evidence, strict=True)
                if own.songs >= LEAST
            ]
    if not noises:
        return model
    songs_heard = np.array([count for _, count in noises], dtype=float)
    noise = float(np.exp(np.average(np.log([own for own, _ in noises]), weights=songs_heard)))
    sizes = tuple((size, float(log)) for (size, _), log in zip(model.sizes, logs - logs.max(), strict=True))
    return replace(model, sizes=sizes, noise=noise, noise_songs=NOISE_SONGS, learned=True)

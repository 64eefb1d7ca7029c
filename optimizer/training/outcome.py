"""What a regression gives under one split: its predictions held against everything that it has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.training import baselines
from optimizer.training.data import Data
from optimizer.training.head import Model
from optimizer.training.metrics import Figure, bootstrap, calibration, mae, spearman, within
from optimizer.training.split import Split


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kind of split gave.

    Attributes
    ----------
    splits : sequence of Split
        One, or as many as there are parts that judge in turn.
    model : Model
        Of the first split: the one that is written.
    figures : mapping
        By predictor and figure: ``model``, ``ridge``, ``constant``, ``nearest id``, ``group mean``, ``genre mean``.
    gain : Figure
        Spearman of the model minus that of the best predictor that hears nothing.
    rival : str
        That predictor.
    calibration : mapping
    points : pair of float arrays
        Predictions and truth of all test parts.
    test_groups : int
        Groups that judge.
    """

    splits: Sequence[Split]
    model: Model
    figures: Mapping[str, Mapping[str, Figure]]
    gain: Figure
    rival: str
    calibration: Mapping[str, Any]
    points: tuple[np.ndarray, np.ndarray]
    test_groups: int


def judge(
    data: Data,
    y: np.ndarray,
    splits: Sequence[Split],
    models: Sequence[tuple[Model, Model]],
    groups: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
    rounds: int,
    known: bool = True,
) -> Outcome:
    """Hold what was trained under one kind of split against everything it has to beat, on the test parts.

    Ranks are compared within a part: what was trained without one knows the others, and even a constant, set where
    the others are high, ranks a low part's songs in the wrong order among them.

    Parameters
    ----------
    data : Data
    y : float array [shape=(n,)]
    splits, models : sequences
        A model and a ridge for each split.
    groups, strata : arrays [shape=(n,)]
        What intervals draw; genres, where they are known.
    seed, rounds : int
        Of the bootstrap.
    known : bool
        Whether groups are a column's, whose mean is known of others of its songs, or but a song and its copies.
    """
    parts = [
        _said(data, y, split, *pair, groups if known else np.arange(len(y)), strata)
        for split, pair in zip(splits, models, strict=True)
    ]
    said = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    deaf = [*(name for name in said if name not in ("model", "ridge", "constant")), "constant"]
    rows = np.concatenate([split.test for split in splits])
    truth, fold = y[rows], np.repeat(np.arange(len(splits)), [len(split.test) for split in splits])
    # What ranks worse than nothing at all is no mark to beat.
    rival = max(deaf, key=lambda name: ranked(said[name], truth, fold))
    genres = None
    if strata is not None:
        code = np.unique(strata[rows], return_inverse=True)[1]
        genres = fold * (int(code.max()) + 1) + code

    def figures(chosen: np.ndarray) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, prediction in said.items():
            found[f"{name}/spearman"] = ranked(prediction[chosen], truth[chosen], fold[chosen])
            found[f"{name}/mae"] = mae(prediction[chosen], truth[chosen])
            if genres is not None:
                found[f"{name}/within genre"] = within(prediction[chosen], truth[chosen], genres[chosen])
        found["gain/gain"] = found["model/spearman"] - found[f"{rival}/spearman"]
        return found

    table: dict[str, dict[str, Figure]] = {}
    for key, figure in bootstrap(figures, groups[rows], seed=seed, rounds=rounds).items():
        name, _, word = key.partition("/")
        table.setdefault(name, {})[word] = figure
    gain = table.pop("gain")["gain"]
    slope = calibration(said["model"], truth, groups=groups[rows], seed=seed)
    judges = len(set(groups[rows].tolist()))
    return Outcome(splits, models[0][0], table, gain, rival, slope, (said["model"], truth), judges)


def ranked(prediction: np.ndarray, truth: np.ndarray, fold: np.ndarray) -> float:
    """Return the mean rank correlation of the parts that judge, weighted by their songs."""
    if fold[0] == fold[-1] and (fold == fold[0]).all():
        return spearman(prediction, truth)
    parts = [fold == number for number in np.unique(fold)]
    return sum(spearman(prediction[part], truth[part]) * int(part.sum()) for part in parts) / len(fold)


def _said(
    data: Data,
    y: np.ndarray,
    split: Split,
    model: Model,
    linear: Model,
    groups: np.ndarray,
    strata: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return what everybody says of a test part."""
    a, t = split.train, split.test
    x = data.vectors[t]
    said = {"model": model.predict(x), "ridge": linear.predict(x), "constant": baselines.constant(y[a], len(t))}
    # Whoever hears nothing may look at the validation songs too: it has nothing to choose with them.
    seen = np.sort(np.concatenate([a, split.validation]))
    ids = _numbers(data)
    if ids is not None:
        said["nearest id"] = baselines.nearest_id(ids[seen], y[seen], ids[t])
    if len(set(groups.tolist())) < len(groups):
        said["group mean"] = baselines.group_mean(groups[seen], y[seen], groups[t])
    if strata is not None:
        said["genre mean"] = baselines.group_mean(strata[seen], y[seen], strata[t])
    return said


def _numbers(data: Data) -> np.ndarray | None:
    try:
        return np.asarray(data.table["id"].to_numpy()).astype(np.int64)
    except (KeyError, ValueError, TypeError):
        return None

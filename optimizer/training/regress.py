"""One regression from data to folder: both splits, all baselines, the card, the head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.heads import write_head
from optimizer.training import baselines, card
from optimizer.training.data import Data
from optimizer.training.head import Model, OnEpoch, fit, fit_ridge
from optimizer.training.metrics import Figure, bootstrap, calibration, mae, spearman, within
from optimizer.training.network import Checkpoints
from optimizer.training.parallel import side_by_side
from optimizer.training.seen import write_split
from optimizer.training.split import Split, grouped_split, random_split
from optimizer.training.targets import labelled
from optimizer.training.witnesses import missing, named, witnesses

WORK = ".training"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one split gave.

    Attributes
    ----------
    model : Model
    figures : mapping
        By predictor and figure: ``model``, ``ridge``, ``constant``, ``nearest id``, ``group mean``, ``genre mean``.
    gain : Figure
        Spearman of the model minus that of the best predictor that hears nothing.
    rival : str
        That predictor.
    test_groups : int
        Groups that judge.
    """

    split: Split
    model: Model
    figures: Mapping[str, Mapping[str, Figure]]
    gain: Figure
    rival: str
    calibration: Mapping[str, Any]
    points: tuple[np.ndarray, np.ndarray]
    test_groups: int


def train_regression(
    data: Data,
    targets: list[str],
    out: Path,
    *,
    group: str | None = None,
    strata: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
    name: str | None = None,
    on_epoch: OnEpoch | None = None,
    members: int = 5,
    rounds: int = 1000,
) -> dict[str, Any]:
    """Train one head per target, judge it under both splits, and write the folder.

    Parameters
    ----------
    data : Data
    targets : list of str
        Columns of the table. One gives `out` itself as a head; several give a head per target below it.
    out : Path
    group : str, optional
        Column whose values must not lie on two sides (``artist_id``). The head that is written is then the one
        trained under the grouped split, else that of the random split.
    strata : str, optional
        Column of the genre.
    recipe : {"robust", "published", "ridge"}
    seed : int
    name : str, optional
        What the head calls itself.
    on_epoch, members, rounds
        Progress; robust ensemble's size; bootstrap rounds.

    Returns
    -------
    dict
        ``card.json`` by target.
    """
    # What is misspelt is said before the first target has been learnt for minutes.
    for target in targets:
        labelled(data, target)
    for column in (group, strata):
        if column is not None:
            data.column(column)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"folder {out} cannot be made: {error.strerror}.", next_step="Name another with --out."
        ) from error
    checkpoints = Checkpoints(out / WORK)
    cards: dict[str, Any] = {}
    for target in targets:
        folder = out if len(targets) == 1 else out / target
        cards[target] = _one(
            data, target, folder, group, strata, recipe, seed, name or target, checkpoints, on_epoch, members, rounds
        )
    emotion = data.info.get("emotion")
    if emotion and set(targets) == {"valence", "arousal"}:
        _emotion(data, emotion, out, cards)
    _clean(out / WORK)
    return cards


def _emotion(data: Data, emotion: Mapping[str, Any], out: Path, cards: dict[str, Any]) -> None:
    """Write what ``emotion:NAME`` needs, and add the raters' part to the cards."""
    from optimizer.training.emotion import intent_errors

    added = {
        "raters": emotion["raters"],
        "ceiling": emotion["ceiling"],
        "errors": intent_errors(data.table, emotion["references"]),
        "notes": data.info.get("notes", []),
    }
    for target, document in cards.items():
        document["emotion"] = added
        write_atomic(out / target / "card.json", (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
        write_atomic(out / target / "card.md", card.markdown(document).encode())
    kept = {"references": emotion["references"], "scale": emotion["scale"], "ceiling": emotion["ceiling"]}
    write_atomic(out / "emotion.json", (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode())


def _one(
    data: Data,
    target: str,
    out: Path,
    group: str | None,
    strata: str | None,
    recipe: str,
    seed: int,
    name: str,
    checkpoints: Checkpoints,
    on_epoch: OnEpoch | None,
    members: int,
    rounds: int,
) -> dict[str, Any]:
    whole = len(data.vectors)
    data, y = labelled(data, target)
    found = witnesses(data, group)
    groups = np.arange(len(y)) if group is None else found.names
    kinds = None if strata is None else named(data, strata)
    splits = {"random": random_split(len(y), seed)}
    if group is not None:
        splits["grouped"] = grouped_split(groups, seed)
    strata_of = dict.fromkeys(splits) if kinds is None else {kind: kinds[split.train] for kind, split in splits.items()}

    def train(kind: str, tell: OnEpoch) -> tuple[Model, Model]:
        a, v = splits[kind].train, splits[kind].validation
        x = data.vectors
        model = fit(
            recipe, x[a], y[a], x[v], y[v], strata=strata_of[kind], seed=seed, checkpoints=checkpoints,
            on_epoch=tell, members=members,
        )  # fmt: skip
        return model, model if recipe == "ridge" else fit_ridge(x[a], y[a], x[v], y[v])

    models = side_by_side(list(splits), train, on_epoch)
    outcomes = {
        kind: judge(data, y, split, *models[kind], groups, kinds, seed, rounds) for kind, split in splits.items()
    }
    kept = outcomes["grouped" if group is not None else "random"]
    document = card.document(
        {
            "task": "regression",
            "target": target,
            "name": name,
            "recipe": recipe,
            "seed": seed,
            "group": group,
            "genre": strata,
            "songs": len(y),
            "unlabelled": whole - len(y),
            "ungrouped": int(found.alone.sum()),
            "without_genre": 0 if strata is None else int(missing(data, strata).sum()),
            "copies": int(found.copies.sum()) if group else None,
            "groups": len(set(groups.tolist())) if group else None,
            "width": data.vectors.shape[1],
            "data": data.folder.resolve().name,
        },
        data.info,
        outcomes,
    )
    config = {
        "kind": "ridge" if recipe == "ridge" else "mlp",
        "name": name,
        **{word: data.info[word] for word in ("encoder", "window", "layers", "spread") if word in data.info},
        "target": dict(kept.model.target),
        "units": {"offset": kept.model.units[0], "scale": kept.model.units[1]},
        "label": target,
        "recipe": recipe,
        "seed": seed,
        "licence": data.info.get("licence", "unknown: see the encoder's"),
        "split": kept.split.kind,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_split(out, data, (kept.split.train, kept.split.validation, kept.split.test))
    write_atomic(out / "card.json", (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / "card.md", card.markdown(document).encode())
    for kind, outcome in outcomes.items():
        write_atomic(out / f"residuals-{kind}.svg", card.residuals(*outcome.points).encode())
    write_head(out, config, kept.model.tensors())
    return document


def judge(
    data: Data,
    y: np.ndarray,
    split: Split,
    model: Model,
    linear: Model,
    groups: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
    rounds: int,
) -> Outcome:
    """Hold what was trained under one split against everything it has to beat, on the test part."""
    a, v, t = split.train, split.validation, split.test
    x = data.vectors
    said = {
        "model": model.predict(x[t]),
        "ridge": linear.predict(x[t]),
        "constant": baselines.constant(y[a], len(t)),
    }
    deaf = []
    # Whoever hears nothing may look at the validation songs too: it has nothing to choose with them.
    seen = np.sort(np.concatenate([a, v]))
    ids = _numbers(data)
    if ids is not None:
        said["nearest id"] = baselines.nearest_id(ids[seen], y[seen], ids[t])
        deaf.append("nearest id")
    if len(set(groups.tolist())) < len(groups):
        said["group mean"] = baselines.group_mean(groups[seen], y[seen], groups[t])
        deaf.append("group mean")
    if strata is not None:
        said["genre mean"] = baselines.group_mean(strata[seen], y[seen], strata[t])
        deaf.append("genre mean")
    # What ranks worse than nothing at all is no mark to beat.
    rival = max([*deaf, "constant"], key=lambda name: spearman(said[name], y[t]))
    truth = y[t]
    genres = None if strata is None else np.unique(strata[t], return_inverse=True)[1]

    def figures(rows: np.ndarray) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, prediction in said.items():
            found[f"{name}/spearman"] = spearman(prediction[rows], truth[rows])
            found[f"{name}/mae"] = mae(prediction[rows], truth[rows])
            if genres is not None:
                found[f"{name}/within genre"] = within(prediction[rows], truth[rows], genres[rows])
        found["gain/gain"] = found["model/spearman"] - found[f"{rival}/spearman"]
        return found

    table: dict[str, dict[str, Figure]] = {}
    for key, figure in bootstrap(figures, groups[t], seed=seed, rounds=rounds).items():
        name, _, word = key.partition("/")
        table.setdefault(name, {})[word] = figure
    gain = table.pop("gain")["gain"]
    slope = calibration(said["model"], truth, groups=groups[t], seed=seed)
    return Outcome(split, model, table, gain, rival, slope, (said["model"], truth), len(set(groups[t].tolist())))


def _numbers(data: Data) -> np.ndarray | None:
    try:
        return np.asarray(data.table["id"].to_numpy()).astype(np.int64)
    except (KeyError, ValueError, TypeError):
        return None


def _clean(folder: Path) -> None:
    import shutil

    # The head is written; what was kept for a kill is of no more use.
    shutil.rmtree(folder, ignore_errors=True)

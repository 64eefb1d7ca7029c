"""One regression from data to folder: both splits, all baselines, the card, the head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.runs import write_atomic
from optimizer.training import card
from optimizer.training.data import Data
from optimizer.training.folder import WORK, clear, finish, make_folder
from optimizer.training.folds import divide, folds_by, title
from optimizer.training.head import Model, OnEpoch, fit, fit_ridge
from optimizer.training.network import Checkpoints
from optimizer.training.outcome import judge
from optimizer.training.parallel import side_by_side
from optimizer.training.seen import write_split
from optimizer.training.split import grouped_split, random_split, spread
from optimizer.training.targets import labelled
from optimizer.training.witnesses import demand, distinct, missing, named, witnesses


def train_regression(
    data: Data,
    targets: list[str],
    out: Path,
    *,
    group: str | None = None,
    strata: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
    folds: int = 1,
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
    folds : int
        Parts that judge in turn; see `optimizer.training.folds.divide`. The head that is written is the first one's.
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
    make_folder(out)
    checkpoints = Checkpoints(out / WORK)
    cards: dict[str, Any] = {}
    for target in targets:
        folder = out if len(targets) == 1 else out / target
        cards[target] = _one(
            data,
            target,
            folder,
            group,
            strata,
            recipe,
            seed,
            folds,
            name or target,
            checkpoints,
            on_epoch,
            members,
            rounds,
        )
    emotion = data.info.get("emotion")
    if emotion and set(targets) == {"valence", "arousal"}:
        _emotion(data, emotion, out, cards)
    clear(out)
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
    folds: int,
    name: str,
    checkpoints: Checkpoints,
    on_epoch: OnEpoch | None,
    members: int,
    rounds: int,
) -> dict[str, Any]:
    whole = len(data.vectors)
    data, y = labelled(data, target)
    found = witnesses(data, group)
    demand(found, group, folds)
    groups = found.names
    kinds = None if strata is None else named(data, strata)
    witnessing = len(set(groups.tolist()))
    # Beside a grouped split the random one shows what copies leak, too; alone it judges, and keeps them together.
    _, song = distinct(groups if group is None else np.arange(len(y)))
    count = int(song.max()) + 1
    by_chance = divide(
        folds, witnessing, lambda: random_split(count, seed), lambda: folds_by(np.arange(count), folds, seed, "random")
    )
    splits = {"random": [spread(one, song) for one in by_chance]}
    if group is not None:
        splits["grouped"] = divide(
            folds, witnessing, lambda: grouped_split(groups, seed), lambda: folds_by(groups, folds, seed)
        )
    places = {title(kind, number, len(one)): one[number] for kind, one in splits.items() for number in range(len(one))}

    def train(place: str, tell: OnEpoch) -> tuple[Model, Model]:
        a, v = places[place].train, places[place].validation
        x = data.vectors
        model = fit(
            recipe, x[a], y[a], x[v], y[v], strata=None if kinds is None else kinds[a], seed=seed,
            checkpoints=checkpoints, on_epoch=tell, members=members,
        )  # fmt: skip
        return model, model if recipe == "ridge" else fit_ridge(x[a], y[a], x[v], y[v])

    models = side_by_side(list(places), train, on_epoch)
    outcomes = {
        kind: judge(data, y, one, [models[title(kind, number, len(one))] for number in range(len(one))],
                    groups, kinds, seed, rounds, group is not None)
        for kind, one in splits.items()
    }  # fmt: skip
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
            "broken": data.broken,
            "ungrouped": int(found.alone.sum()),
            "without_genre": 0 if strata is None else int(missing(data, strata).sum()),
            "copies": int(found.copies.sum()),
            "groups": witnessing if group else None,
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
        "split": kept.splits[0].kind,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_split(out, data, kept.splits[0].parts)
    for kind, outcome in outcomes.items():
        write_atomic(out / f"residuals-{kind}.svg", card.residuals(*outcome.points).encode())
    finish(out, config, kept.model.tensors(), document, card.markdown(document))
    return document

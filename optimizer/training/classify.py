"""Classes, such as genres: train and judge a classifier, write its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.scoring.classes import KIND, softmax
from optimizer.scoring.heads import A_NAME, is_name
from optimizer.training.baselines import nearest_id, song_ids
from optimizer.training.class_card import accuracies, confusion, markdown, reliability, verdict
from optimizer.training.class_split import folds_by_class, given_split, grouped_by_class, stratified_split
from optimizer.training.data import Data
from optimizer.training.folder import WORK, finish, make_folder, space_of
from optimizer.training.folds import divide, folds_within, title
from optimizer.training.head import MEMBERS, OnEpoch
from optimizer.training.metrics import ROUNDS, Figure, difference
from optimizer.training.network import Checkpoints
from optimizer.training.parallel import side_by_side
from optimizer.training.seen import write_split
from optimizer.training.softmax import Softmax, fit
from optimizer.training.split import Split, spread
from optimizer.training.witnesses import demand, distinct, missing, witnesses


def train_classifier(
    data: Data,
    target: str,
    out: Path,
    *,
    group: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
    folds: int = 1,
    name: str | None = None,
    on_epoch: OnEpoch | None = None,
    members: int = MEMBERS,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Train, judge under every split, and write the folder.

    Songs without a label are left out, those without a group are each their own. A column ``part`` of train and test,
    as ``optimize dataset build`` writes it, is a split of its own, ``given``. The head that is written is the one
    trained under the last of the splits random, given, grouped that there are.

    Parameters
    ----------
    data : Data
    target : str
        Column of the class.
    out : Path
    group : str, optional
        Column whose values must not lie on two sides.
    recipe : {"robust", "published", "ridge"}
        See `optimizer.training.softmax.fit`.
    seed, name, on_epoch
    folds : int
        Parts that judge in turn; see `optimizer.training.folds.divide`. The head that is written is the first one's.
    members, rounds : int
        Of the robust ensemble; of the bootstrap.

    Returns
    -------
    dict
        ``card.json``.

    Raises
    ------
    UsageError
        If the column has fewer than two classes, or a class too few songs.
    """
    whole = len(data.vectors)
    labelled = ~missing(data, target)
    data = data if labelled.all() else data.select(np.flatnonzero(labelled))
    names, code = np.unique(data.column(target).astype(str), return_inverse=True)
    classes = [str(word) for word in names]
    if strange := [word for word in classes if not is_name(word)]:
        raise UsageError(
            f"column {target!r} has the class {strange[0]!r:.200}; a class is {A_NAME}.",
            next_step="Name another column with --target, or mend the table.",
        )
    if not 2 <= len(classes) <= len(code) // 2:
        raise UsageError(
            f"column {target!r} has {len(classes)} classes for {len(code)} songs; 2 or more classes are needed, with "
            "2 or more songs each.",
            next_step="For numbers: --task regression.",
        )
    found = witnesses(data, group)
    demand(found, group, folds)
    groups = np.arange(len(code)) if group is None else found.names
    # What shares a group, or the words it was generated from, is no two witnesses.
    by = group or (str(data.info["split_by"]) if data.info.get("split_by") in data.table.columns else None)
    units = found.names if by == group else witnesses(data, by).names
    # Beside a grouped split the random one shows what copies leak, too; alone it judges, and keeps them together.
    first, song = distinct(found.names if group is None else np.arange(len(code)))
    by_chance = divide(
        folds, len(first), lambda: stratified_split(code[first], seed), lambda: folds_within(code[first], folds, seed)
    )
    splits = {"random": [spread(one, song) for one in by_chance]}
    if (given := given_split(data, code, seed)) is not None:
        splits["given"] = [given]
    if group is not None:
        splits["grouped"] = divide(
            folds, len(set(groups.tolist())), lambda: grouped_by_class(groups, code, seed),
            lambda: folds_by_class(groups, code, folds, seed),
        )  # fmt: skip
    make_folder(out)
    checkpoints = Checkpoints(out / WORK)
    document: dict[str, Any] = {}
    gains: dict[str, tuple[str, dict[str, Figure]]] = {}
    models: dict[str, Softmax] = {}
    x = data.vectors
    places = {title(kind, number, len(parts)): parts[number] for kind, parts in splits.items()
              for number in range(len(parts))}  # fmt: skip
    for place, split in places.items():
        counts = np.bincount(code[split.train], minlength=len(classes))
        if (counts == 0).any():
            raise UsageError(
                f"class {classes[int(np.argmin(counts))]!r} has no song in the training part of the {place}; it has "
                "too few.",
            )

    def train(place: str, tell: OnEpoch) -> tuple[Softmax, Softmax]:
        a, v = places[place].train, places[place].validation
        model = fit(
            recipe, x[a], code[a], x[v], code[v], len(classes), seed=seed, checkpoints=checkpoints, members=members,
            on_epoch=tell,
        )  # fmt: skip
        return model, fit("ridge", x[a], code[a], x[v], code[v], len(classes))

    trained = side_by_side(list(places), train, on_epoch)
    for kind, parts in splits.items():
        pairs = [trained[title(kind, number, len(parts))] for number in range(len(parts))]
        t = np.concatenate([split.test for split in parts])
        logits = np.concatenate([model.logits(x[split.test]) for split, (model, _) in zip(parts, pairs, strict=True)])
        guesses = [line.logits(x[split.test]).argmax(axis=1) for split, (_, line) in zip(parts, pairs, strict=True)]
        blind = [_deaf(data, code, split, groups, len(classes)) for split in parts]
        deaf = {key: np.concatenate([one[key] for one in blind]) for key in blind[0]}
        said = {"model": logits.argmax(axis=1), "ridge": np.concatenate(guesses), **deaf}
        rival, figures = accuracies(said, list(deaf), code[t], units[t], seed, rounds)
        gains[kind] = (rival, figures["balanced accuracy"])
        models[kind] = pairs[0][0]
        document[kind] = {
            "songs": [len(part) for part in parts[0].parts],
            "folds": len(parts),
            "test_groups": len(set(units[t].tolist())),
            **{word: {key: figure.to_list() for key, figure in one.items()} for word, one in figures.items()},
            "no_audio": rival,
            "confusion": confusion(code[t], said["model"], len(classes)).tolist(),
            "calibration": reliability(softmax(logits), code[t]),
            "training": dict(models[kind].note),
        }
    if given is not None:
        taught = int((data.column("part").astype(str) == "train").sum())
        document["given"]["copies_left_out"] = taught - len(given.train) - len(given.validation)
    kind = list(splits)[-1]
    document[kind]["kept"] = True
    leak = None
    if len(splits) > 1:
        leak = difference(gains["random"][1]["model"], gains[kind][1]["model"])
    card = {
        "verdict": verdict(kind, *gains[kind], len(splits[kind]), document[kind]["test_groups"] if by else None),
        "task": "classification",
        "target": target,
        "name": name or target,
        "recipe": recipe,
        "seed": seed,
        "group": group,
        "given_by": data.info.get("split_by"),
        "interval_over": by,
        "songs": len(code),
        "unlabelled": whole - len(code),
        "broken": data.broken,
        "ungrouped": int(found.alone.sum()),
        "copies": int(found.copies.sum()),
        "classes": classes,
        "encoder": {word: data.info.get(word) for word in ("encoder", "window", "layers", "licence")},
        "splits": document,
        "leak": None if leak is None else leak.value,
        "leak_interval": None if leak is None else leak.to_list(),
    }
    config = {
        "kind": KIND, "name": name or target, **space_of(data), "classes": classes, "target": {"kind": "softmax"},
        "label": target, "recipe": recipe, "seed": seed, "split": kind,
    }  # fmt: skip
    write_split(out, data, splits[kind][0].parts)
    finish(out, config, models[kind].tensors(), card, markdown(card))
    return card


def _deaf(data: Data, code: np.ndarray, split: Split, groups: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Return what those say of the test part that hear nothing."""
    t, seen = split.test, np.sort(np.concatenate([split.train, split.validation]))
    common = int(np.bincount(code[split.train]).argmax())
    said = {"constant": np.full(len(t), common)}
    ids = song_ids(data)
    if ids is not None:
        said["nearest id"] = nearest_id(ids[seen], code[seen], ids[t]).astype(int)
    if len(set(groups.tolist())) < len(groups):
        most = {name: int(np.bincount(code[seen][groups[seen] == name], minlength=count).argmax())
                for name in set(groups[seen].tolist())}  # fmt: skip
        said["group's own"] = np.array([most.get(name, common) for name in groups[t].tolist()])
    return said

"""Classes, such as genres: train and judge a classifier, write its folder, hold it against recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import OptimizeError, UsageError
from optimizer.scoring.classes import KIND, softmax
from optimizer.scoring.heads import A_NAME, WEIGHTS, is_name, open_head, read_config
from optimizer.training.baselines import nearest_id
from optimizer.training.class_card import confusion, markdown, reliability, verdict
from optimizer.training.class_split import given_split, grouped_by_class, stratified_split
from optimizer.training.data import Data
from optimizer.training.folder import WORK, finish, make_folder, space_of
from optimizer.training.head import MEMBERS, OnEpoch, transform
from optimizer.training.metrics import ROUNDS, Figure, bootstrap, difference
from optimizer.training.network import Checkpoints, forward
from optimizer.training.seen import seen, write_split
from optimizer.training.softmax import Softmax, balanced_accuracy, fit
from optimizer.training.split import Split
from optimizer.training.witnesses import missing, named, witnesses


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier read back from its folder.

    Attributes
    ----------
    classes : list of str
    info : mapping
        ``head.json``.
    tensors : mapping of str to array
    folder : Path
    """

    classes: list[str]
    info: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]
    folder: Path

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return logits [shape=(n, classes)] of embeddings [shape=(n, d)]."""
        mean, std, project = (self.tensors.get(name) for name in ("standardise.mean", "standardise.std", "project"))
        z = transform(np.asarray(x, np.float64), mean, std, project)
        members: dict[str, dict[str, np.ndarray]] = {}
        for name, array in self.tensors.items():
            if name.startswith("members."):
                _, number, _, rest = name.split(".", 3)
                members.setdefault(number, {})[rest] = array
        return np.asarray(np.mean([forward(member, z) for member in members.values()], axis=0))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return class names [shape=(n,)]."""
        return np.asarray(np.array(self.classes, dtype=object)[self.logits(x).argmax(axis=1)])


def open_classifier(folder: Path) -> Classifier:
    """Read a classifier back.

    Raises
    ------
    UsageError
        If `folder` holds none.
    """
    from safetensors.numpy import load_file

    step = "Train one: optimize train --task classification"
    try:
        config = read_config(folder)
        open_head(folder)
    except OptimizeError as error:
        raise UsageError(f"{folder} is no trained classifier: {error.message}", next_step=step) from error
    if config.get("kind") != KIND:
        raise UsageError(f"{folder} is a head for {config.get('label')!r}, no classifier.", next_step=step)
    tensors = {name: array.astype(np.float64) for name, array in load_file(folder / WEIGHTS).items()}
    return Classifier(list(config["classes"]), config, tensors, folder)


def train_classifier(
    data: Data,
    target: str,
    out: Path,
    *,
    group: str | None = None,
    recipe: str = "robust",
    seed: int = 0,
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
    groups = np.arange(len(code)) if group is None else found.names
    # What shares a group, or the words it was generated from, is no two witnesses.
    by = group or (str(data.info["split_by"]) if data.info.get("split_by") in data.table.columns else None)
    units = groups if by is None or by == group else named(data, by)
    splits = {"random": stratified_split(code, seed)}
    if (given := given_split(data, code, seed)) is not None:
        splits["given"] = given
    if group is not None:
        splits["grouped"] = grouped_by_class(groups, code, seed)
    make_folder(out)
    checkpoints = Checkpoints(out / WORK)
    document: dict[str, Any] = {}
    gains: dict[str, tuple[str, dict[str, Figure]]] = {}
    model: Softmax | None = None
    for kind, split in splits.items():
        a, v, t = split.train, split.validation, split.test
        counts = np.bincount(code[a], minlength=len(classes))
        if (counts == 0).any():
            raise UsageError(
                f"class {classes[int(np.argmin(counts))]!r} has no song in the training part of the {kind} split; "
                "it has too few.",
            )
        x = data.vectors
        options: dict[str, Any] = {"seed": seed, "checkpoints": checkpoints, "members": members}
        model = fit(recipe, x[a], code[a], x[v], code[v], len(classes), on_epoch=on_epoch, **options)
        line = fit("ridge", x[a], code[a], x[v], code[v], len(classes))
        logits = model.logits(x[t])
        said = {"model": logits.argmax(axis=1), "ridge": line.logits(x[t]).argmax(axis=1)}
        deaf = _deaf(data, code, split, groups, len(classes))
        rival, figures = _figures({**said, **deaf}, list(deaf), code[t], units[t], seed, rounds)
        gains[kind] = (rival, figures["balanced accuracy"])
        document[kind] = {
            "songs": [len(a), len(v), len(t)],
            **{word: {key: figure.to_list() for key, figure in one.items()} for word, one in figures.items()},
            "no_audio": rival,
            "confusion": confusion(code[t], said["model"], len(classes)).tolist(),
            "calibration": reliability(softmax(logits), code[t]),
            "training": dict(model.note),
        }
    assert model is not None
    kind = list(splits)[-1]
    document[kind]["kept"] = True
    leak = None
    if len(splits) > 1:
        leak = difference(gains["random"][1]["model"], gains[kind][1]["model"])
    card = {
        "verdict": verdict(kind, *gains[kind]),
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
        "ungrouped": int(found.alone.sum()),
        "copies": int(found.copies.sum()) if group else None,
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
    write_split(out, data, (splits[kind].train, splits[kind].validation, splits[kind].test))
    finish(out, config, model.tensors(), card, markdown(card))
    return card


def judge_folder(classifier: Classifier, data: Data, target: str = "label", *, seed: int = 0) -> dict[str, Any]:
    """Hold a classifier against songs, such as real recordings; labels are compared without case.

    Where the data has a part ``test``, as ``optimize dataset build`` writes it, that part alone judges.

    Returns
    -------
    dict
        ``accuracy`` and ``balanced accuracy`` with intervals, ``songs``, ``unknown`` (of other classes), ``part`` and
        ``left_out`` (songs of other parts), ``trained_on`` (see `optimizer.training.seen.seen`), ``classes``,
        ``confusion``.

    Raises
    ------
    UsageError
        If the encoders differ, or no song has a label that the classifier knows.
    """
    if data.info.get("encoder") != classifier.info.get("encoder"):
        raise UsageError(
            f"the classifier hears with {classifier.info.get('encoder')}; {data.folder} is of "
            f"{data.info.get('encoder')}."
        )
    known = {name.casefold(): row for row, name in enumerate(classifier.classes)}
    whole = len(data.vectors)
    part = "test" if "part" in data.table.columns and (data.column("part") == "test").any() else None
    if part is not None:
        data = data.select(np.flatnonzero(data.column("part") == part))
    truth = np.array([known.get(str(label).casefold(), -1) for label in data.column(target)])
    rows = np.flatnonzero(truth >= 0)
    if not len(rows):
        raise UsageError(f"no song of {data.folder} has a label among {', '.join(classifier.classes)}.")
    guess = classifier.logits(data.vectors[rows]).argmax(axis=1)
    truth = truth[rows]
    said = {"model": guess}
    _, figures = _figures(said, [], truth, np.arange(len(rows)), seed, ROUNDS)
    return {
        "accuracy": figures["accuracy"]["model"].to_list(),
        "balanced accuracy": figures["balanced accuracy"]["model"].to_list(),
        "songs": len(rows),
        "unknown": len(data.vectors) - len(rows),
        "part": part,
        "left_out": whole - len(data.vectors),
        "trained_on": seen(classifier.folder, data.select(rows)),
        "classes": classifier.classes,
        "confusion": confusion(truth, guess, len(classifier.classes)).tolist(),
    }


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


def song_ids(data: Data) -> np.ndarray | None:
    """Return the songs' ids if they are numbers of somebody's, not the count of our own rows.

    A corpus without ids is numbered in the order of its files, folder by folder: such numbers would tell the class.
    """
    ids = data.table["id"].to_numpy()
    if not np.issubdtype(ids.dtype, np.integer):
        return None
    most = len(ids) + int(data.info.get("failed", 0))
    counted = bool((np.diff(ids) > 0).all()) and ids[0] in (0, 1) and ids[-1] <= most
    return None if counted else ids.astype(np.int64)


def _figures(
    said: Mapping[str, np.ndarray], deaf: list[str], truth: np.ndarray, groups: np.ndarray, seed: int, rounds: int
) -> tuple[str, dict[str, dict[str, Figure]]]:
    """Return the best predictor that hears nothing, and accuracies with intervals over groups."""
    measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "accuracy": lambda guess, true: float((guess == true).mean()),
        "balanced accuracy": balanced_accuracy,
    }
    rival = max(deaf, key=lambda name: balanced_accuracy(said[name], truth)) if deaf else ""

    def tell(rows: np.ndarray) -> dict[str, float]:
        found = {f"{word}/{key}": measure(guess[rows], truth[rows]) for word, measure in measures.items()
                 for key, guess in said.items()}  # fmt: skip
        if rival:
            found |= {f"{word}/gain": found[f"{word}/model"] - found[f"{word}/{rival}"] for word in measures}
        return found

    out: dict[str, dict[str, Figure]] = {word: {} for word in measures}
    for key, figure in bootstrap(tell, groups, seed=seed, rounds=rounds).items():
        word, _, name = key.partition("/")
        out[word][name] = figure
    return rival, out

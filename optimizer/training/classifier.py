"""A classifier read back from its folder, and held against recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import OptimizeError, UsageError
from optimizer.scoring.classes import KIND
from optimizer.scoring.heads import WEIGHTS, open_head, read_config
from optimizer.training.class_card import accuracies, confusion
from optimizer.training.data import Data
from optimizer.training.head import transform
from optimizer.training.metrics import ROUNDS
from optimizer.training.network import forward
from optimizer.training.seen import seen
from optimizer.training.witnesses import witnesses


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


def judge_folder(
    classifier: Classifier, data: Data, target: str = "label", *, group: str | None = None, seed: int = 0
) -> dict[str, Any]:
    """Hold a classifier against songs, such as real recordings; labels are compared without case.

    Where the data has a part ``test``, as ``optimize dataset build`` writes it, that part alone judges.

    Parameters
    ----------
    classifier : Classifier
    data : Data
    target : str
        Column of the true class.
    group : str, optional
        Column whose values are the witnesses that intervals draw; without it the one by which the data was divided
        (``split_by``), as on the training's card, and without that each song. Copies are one witness.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``accuracy`` and ``balanced accuracy`` with intervals, ``interval_over`` (the column, or None), ``groups``
        (witnesses), ``songs``, ``unknown`` (of other classes), ``part`` and ``left_out`` (songs of other parts),
        ``trained_on`` (see `optimizer.training.seen.seen`), ``classes``, ``confusion``.

    Raises
    ------
    UsageError
        If the encoders differ, there is no such column, or no song has a label that the classifier knows.
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
    own = data.info.get("split_by")
    by = group or (str(own) if own in data.table.columns else None)
    units = witnesses(data.select(rows), by).names
    _, figures = accuracies({"model": guess}, [], truth, units, seed, ROUNDS)
    return {
        "accuracy": figures["accuracy"]["model"].to_list(),
        "balanced accuracy": figures["balanced accuracy"]["model"].to_list(),
        "interval_over": by,
        "groups": len(set(units.tolist())),
        "songs": len(rows),
        "unknown": len(data.vectors) - len(rows),
        "part": part,
        "left_out": whole - len(data.vectors),
        "trained_on": seen(classifier.folder, data.select(rows)),
        "classes": classifier.classes,
        "confusion": confusion(truth, guess, len(classifier.classes)).tolist(),
    }

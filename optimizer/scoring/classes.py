"""A trained classifier as a judge: 10 times the probability of one of its classes.

Its folder is a trained head (see `optimizer.scoring.heads`) whose members end in one output per class, with ``classes``
(their names, in order) and the target ``{"kind": "softmax"}`` in ``head.json``. The members' outputs are averaged, and
a softmax makes them probabilities.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring.heads import A_NAME, CONFIG, SCALE, Head, is_name
from optimizer.scoring.network import outputs

KIND = "classifier"


@dataclass(frozen=True, slots=True)
class ClassHead(Head):
    """A `Head` that knows classes.

    Attributes
    ----------
    classes : tuple of str
    chosen : int or None
        The class whose probability is the score; None: the most likely one, whichever it is.
    """

    classes: tuple[str, ...] = ()
    chosen: int | None = None

    def choose(self, name: str | None) -> ClassHead:
        """Return the same head, judging by one class.

        Raises
        ------
        CheckpointError
            If it has no such class.
        """
        if name is None:
            return replace(self, chosen=None)
        if name not in self.classes:
            raise CheckpointError(f"the head has no class {name!r}; it has {', '.join(self.classes)}.")
        return replace(self, chosen=self.classes.index(name))

    def raw(self, embedding: np.ndarray) -> np.ndarray:
        """Each member's outputs, float64 array [shape=(members, classes)], of an embedding [shape=(d,)]."""
        x = self.transform(embedding)
        return np.array([outputs(member, x) for member in self.members])

    def probabilities(self, embedding: np.ndarray) -> np.ndarray:
        """Return float64 array [shape=(classes,)], 0 to 1, that sums to 1."""
        return softmax(self.raw(embedding).mean(axis=0))

    def judge(self, embedding: np.ndarray) -> tuple[float, dict[str, float]]:
        """Return 10 times a probability, and parts.

        Parts of a chosen class are ``raw`` (its log odds) and, of an ensemble, ``spread`` (deviation of its members'
        scores); otherwise they are 10 times the probability of every class.
        """
        numbers = self.raw(embedding)
        found = SCALE[1] * softmax(numbers.mean(axis=0))
        if self.chosen is None:
            return float(found.max()), {name: float(p) for name, p in zip(self.classes, found, strict=True)}
        mean = numbers.mean(axis=0)
        others = np.delete(mean, self.chosen)
        top = float(others.max())
        odds = float(mean[self.chosen]) - top - float(np.log(np.exp(others - top).sum()))
        parts = {"raw": odds}
        if len(numbers) > 1:
            parts["spread"] = float(np.std([SCALE[1] * softmax(one)[self.chosen] for one in numbers]))
        return float(found[self.chosen]), parts

    def describe(self) -> dict[str, Any]:
        """Return dims, members, classes and what is judged, for the record."""
        dims = [int(layer.weight.shape[1]) for layer in self.members[0]] + [len(self.classes)]
        chosen = None if self.chosen is None else self.classes[self.chosen]
        return {"dims": dims, "members": len(self.members), "classes": list(self.classes), "class": chosen}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits [shape=(..., classes)] into probabilities."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def read_classes(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Return the classes a configuration names; empty if it is no classifier's.

    Raises
    ------
    CheckpointError
        If it is one whose classes are not two or more different names.
    """
    if config.get("kind") != KIND:
        return ()
    names = config.get("classes")
    if not isinstance(names, list) or not all(map(is_name, names)):
        names = []
    if len(set(names)) != len(names) or len(names) < 2:
        raise CheckpointError(
            f"{path}: classes {config.get('classes')!r:.200} must be a list of two or more different names, each "
            f"{A_NAME}."
        )
    return tuple(names)


def choices(folder: str | Path) -> tuple[str, ...]:
    """Return what may follow a folder and a colon: a classifier's classes, an emotion head's emotions, or nothing."""
    place = Path(folder)
    for file, word in ((CONFIG, "classes"), ("emotion.json", "references")):
        try:
            found = json.loads((place / file).read_text(encoding="utf-8"))[word]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(found, list | dict):
            return tuple(map(str, found))
    return ()


def class_of(classes: Sequence[str], genres: Collection[str] | None, folder: Path) -> str | None:
    """Decide which class a classifier's bare folder stands for.

    Parameters
    ----------
    classes : sequence of str
    genres : collection of str or None
        Genres of the study that is searched or judged; None outside a study.
    folder : Path
        For messages.

    Returns
    -------
    str or None
        The study's genre, compared without case and punctuation; None outside a study: the most likely class.

    Raises
    ------
    UsageError
        If the study has several genres, or one that is no class.
    """
    if genres is None:
        return None
    found = [name for name in classes if len(genres) == 1 and _plain(name) == _plain(next(iter(genres)))]
    if len(found) == 1:
        return found[0]
    said = f"genre {next(iter(genres))!r} is not" if len(genres) == 1 else f"{len(genres)} genres are not"
    raise UsageError(
        f"scorer {folder.name!r} is a classifier, and the study's {said} one of its classes.",
        next_step=f"Say which class a song should be: {folder}:CLASS, CLASS being one of {', '.join(classes)}.",
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")

"""Heads: small networks from an embedding to a score, read from published files and from our trainer's folders.

A trained head is a folder of two files. ``head.safetensors`` holds float32 tensors:

``standardise.mean``, ``standardise.std`` : [d]
    Optional; the embedding becomes (x - mean) / std.
``project`` : [k, d]
    Optional; then project @ x (principal components, scaled as the trainer likes).
``members.<m>.net.<n>.weight`` ``.bias`` (and ``running_mean``, ``running_var`` of a batch norm)
    One network per ensemble member m, n counting up: a two-dimensional weight is a linear layer, a one-dimensional
    one with running statistics a batch norm, without them a layer norm. ReLU follows every hidden layer (after
    its norm). A ridge regression is a member with a single linear layer.

``head.json`` holds::

    {"format": 1, "kind": "mlp", "name": "calm", "encoder": "m-a-p/MERT-v1-330M@0e06...",
     "window": "middle", "layers": [-1], "spread": false, "dims": [1024, 256, 1], "members": 5,
     "target": {"kind": "quantile", "raw": [-1.2, 0.1, 2.3], "score": [0, 5, 10]}}

A classifier's networks end in one output per class; see `optimizer.scoring.classes`.

``name`` and ``encoder`` are lines of printable characters (`A_NAME`). ``encoder`` is `EarSpec.encoder`, the space it
was trained in; a head never judges another. ``window`` is what it was trained on, for information. ``target`` is a
`Target`. Words not named here (metrics, data, licence) are kept.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.errors import CheckpointError
from optimizer.scoring.network import Layer, read_network, run
from optimizer.scoring.tensors import read_tensors

FORMAT = 1
CONFIG, WEIGHTS = "head.json", "head.safetensors"
SCALE = (0.0, 10.0)
LONGEST_NAME = 200
A_NAME = f"one line of 1 to {LONGEST_NAME} printable characters"
"""What a name has to be, for messages."""


@dataclass(frozen=True, slots=True)
class Target:
    """A monotone map from a network's number to a score of 0 to 10.

    Attributes
    ----------
    kind : {"clamp", "affine", "logistic", "quantile"}
        ``clamp``: the number itself, cut to 0 to 10. ``affine``: offset + scale * number, cut. ``logistic``:
        10 / (1 + exp(-(number - centre) / scale)). ``quantile``: straight lines between points (raw, score).
    scale, offset, centre : float
        scale is more than 0.
    raw, score : tuple of float
        Of ``quantile``; raw rises, score never falls and lies in 0 to 10.
    """

    kind: str = "clamp"
    scale: float = 1.0
    offset: float = 0.0
    centre: float = 0.0
    raw: tuple[float, ...] = ()
    score: tuple[float, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Target:
        """Read a target from JSON.

        Raises
        ------
        CheckpointError
            If it is not a monotone map.
        """
        try:
            given: dict[str, Any] = {
                word: tuple(map(float, value)) if isinstance(value, list | tuple) else value
                for word, value in values.items()
            }
            target = cls(**given)
            numbers = [target.scale, target.offset, target.centre, *target.raw, *target.score]
            sound = all(math.isfinite(number) for number in numbers) and target.scale > 0
        except (TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(f"target {dict(values)!r} is not usable: {error}.") from error
        if target.kind not in ("clamp", "affine", "logistic", "quantile"):
            raise CheckpointError(f"target kind {target.kind!r} must be clamp, affine, logistic or quantile.")
        if target.kind == "quantile":
            rises = all(a < b for a, b in pairwise(target.raw))
            monotone = all(a <= b for a, b in pairwise(target.score))
            inside = all(SCALE[0] <= point <= SCALE[1] for point in target.score)
            sound = sound and len(target.raw) == len(target.score) >= 2 and rises and monotone and inside
        if not sound:
            raise CheckpointError(
                f"target {dict(values)!r} must be a rising map: scale above 0, raw rising, score within 0 to 10."
            )
        return target

    def __call__(self, number: float) -> float:
        """Map a network's number to a score."""
        low, high = SCALE
        if self.kind == "logistic":
            # exp overflows for numbers no network should give; the limit is the right answer there.
            with np.errstate(over="ignore"):
                return float(high / (1.0 + np.exp(-(np.float64(number) - self.centre) / self.scale)))
        if self.kind == "quantile":
            return float(np.interp(number, self.raw, self.score))
        value = number if self.kind == "clamp" else self.offset + self.scale * number
        return min(high, max(low, float(value)))


@dataclass(frozen=True, slots=True)
class Head:
    """Networks that judge an embedding together.

    Attributes
    ----------
    members : tuple of tuple of Layer
        Their numbers are averaged before the target map.
    target : Target
    mean, std : float64 array [shape=(d,)] or None
    project : float64 array [shape=(k, d)] or None
    """

    members: tuple[tuple[Layer, ...], ...]
    target: Target
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    project: np.ndarray | None = None

    @property
    def width(self) -> int:
        """Length of the embedding it judges."""
        first = self.members[0][0].weight if self.project is None else self.project
        return int(first.shape[1])

    def raw(self, embedding: np.ndarray) -> np.ndarray:
        """Each member's number before the target map.

        Parameters
        ----------
        embedding : float array [shape=(d,)]

        Returns
        -------
        float64 array [shape=(members,)]
        """
        x = self.transform(embedding)
        return np.array([run(member, x) for member in self.members])

    def transform(self, embedding: np.ndarray) -> np.ndarray:
        """Standardise and project an embedding [shape=(d,)]."""
        # One vector at a time in float64: a batched product would round differently with the size of the batch.
        x = np.asarray(embedding, dtype=np.float64)
        if self.mean is not None and self.std is not None:
            x = (x - self.mean) / self.std
        return x if self.project is None else self.project @ x

    def judge(self, embedding: np.ndarray) -> tuple[float, dict[str, float]]:
        """Return the score, 0 to 10, and parts: ``raw`` and, of an ensemble, ``spread`` (deviation of its scores)."""
        numbers = self.raw(embedding)
        raw = float(numbers.mean())
        parts = {"raw": raw}
        if len(numbers) > 1:
            parts["spread"] = float(np.std([self.target(float(number)) for number in numbers]))
        return self.target(raw), parts

    def choose(self, name: str | None) -> Head:
        """Return the head that judges by a class; only a `ClassHead` has any.

        Raises
        ------
        CheckpointError
            If a class is named.
        """
        if name is not None:
            raise CheckpointError(f"the head is no classifier and has no class {name!r}.")
        return self

    def describe(self) -> dict[str, Any]:
        """Return dims, members and target for the record."""
        dims = [int(layer.weight.shape[1]) for layer in self.members[0]] + [1]
        return {"dims": dims, "members": len(self.members), "target": self.target.kind}


def open_head(path: Path, target: Mapping[str, Any] | None = None) -> Head:
    """Read a head: a trained head's folder, or a file with one network's state dict.

    Parameters
    ----------
    path : Path
    target : mapping, optional
        For a file: how its number becomes a score. A folder says so itself; to a classifier's ``class`` names the
        class that is judged.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, or is no such network.
    """
    if path.is_dir():
        head = _assemble(read_config(path), _arrays(path / WEIGHTS), path / WEIGHTS)
        return head.choose((target or {}).get("class"))
    tensors = _arrays(path)
    return Head((read_network(tensors, path),), Target.from_dict(target or {"kind": "clamp"}))


def read_config(folder: Path) -> dict[str, Any]:
    """Read a trained head's ``head.json``, torch not needed.

    Raises
    ------
    CheckpointError
        If `folder` is no trained head of a format this version knows.
    """
    path = folder / CONFIG
    step = f"A trained head is a folder with {CONFIG} and {WEIGHTS}, as optimize train writes it."
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} is not a trained head: it has no {CONFIG}.", next_step=step) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.", next_step=step) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise CheckpointError(f"{path}: format {found!r} is not {FORMAT}, the one this version reads.", next_step=step)
    if not isinstance(values.get("encoder"), str) or not isinstance(values.get("target"), dict):
        raise CheckpointError(f"{path} must name its encoder (text) and its target (table).", next_step=step)
    # Both are printed; a folder from elsewhere must not write to the terminal what it likes.
    for word in ("name", "encoder"):
        if values.get(word) is not None and not is_name(values[word]):
            raise CheckpointError(f"{path}: {word} {values[word]!r:.200} must be {A_NAME}.", next_step=step)
    layers = values.get("layers", [-1])
    if not isinstance(layers, list) or not layers or not all(isinstance(layer, int) for layer in layers):
        raise CheckpointError(f"{path}: layers {layers!r} must be a list of whole numbers.", next_step=step)
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder} has no {WEIGHTS}.", next_step=step)
    return values


def is_name(text: object) -> bool:
    """Tell whether a text can be a head's name, a class's, or an encoder's: see `A_NAME`."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_NAME and text.isprintable() and not text.isspace()


def write_head(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Write a trained head so that `open_head` gives it back; see the module's text for the names.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    config : mapping
        ``encoder`` and ``target`` at least; ``format`` is added.
    tensors : mapping of str to array

    Raises
    ------
    CheckpointError
        If the two do not make a head; nothing is written then.
    """
    from safetensors.numpy import save

    values = {"format": FORMAT, **config}
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    head = _assemble(values, arrays, folder / WEIGHTS)
    values |= {"dims": head.describe()["dims"], "members": len(head.members)}
    folder.mkdir(parents=True, exist_ok=True)
    # The configuration last: a folder without it is not taken for a head.
    # Not by `save_file`: it makes files that nobody but their owner may read, beside a card that all may.
    content = {WEIGHTS: save(arrays), CONFIG: (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()}
    for name, data in content.items():
        partial = folder / f".{name}.partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / name)


def _assemble(config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], path: Path) -> Head:
    rest = dict(tensors)
    mean, std, project = (
        None if array is None else np.asarray(array, dtype=np.float64)
        for array in (rest.pop(name, None) for name in ("standardise.mean", "standardise.std", "project"))
    )
    if (mean is None) != (std is None) or (std is not None and (std <= 0).any()):
        raise CheckpointError(f"{path}: standardise.mean and standardise.std come together, std above 0.")
    for name, array, axes in (("standardise.mean", mean, 1), ("standardise.std", std, 1), ("project", project, 2)):
        if array is not None and (array.ndim != axes or not array.size):
            raise CheckpointError(f"{path}: {name} of shape {array.shape} must have {axes} dimensions, none of them 0.")
    members: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in rest.items():
        match = re.match(r"members\.([0-9]{1,6})\.", name)
        members.setdefault(match[1] if match else "", {})[name] = tensor
    if not members or "" in members:
        left = ", ".join(members.get("", {})) or "nothing"
        raise CheckpointError(f"{path} must hold members.0.net... and so on; it holds {left}.")
    # It builds on `Head`.
    from optimizer.scoring.classes import ClassHead, read_classes

    classes = read_classes(config, path)
    networks = tuple(read_network(members[number], path, len(classes) or 1) for number in sorted(members, key=int))
    declared = config.get("members", len(networks))
    if declared != len(networks):
        raise CheckpointError(f"{path} holds {len(networks)} members; {CONFIG} says {declared}.")
    if classes:
        head: Head = ClassHead(networks, Target(), mean, std, project, classes)
    else:
        head = Head(networks, Target.from_dict(config["target"]), mean, std, project)
    inputs = {network[0].weight.shape[1] for network in networks}
    before = head.width if project is None else int(project.shape[0])
    if inputs != {before} or any(x is not None and len(x) != head.width for x in (mean, std)):
        raise CheckpointError(f"{path}: members, project and standardise do not fit one another.")
    return head


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        arrays = _safetensors(path)
    else:
        arrays = {name: tensor.float().numpy() for name, tensor in read_tensors(path).items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name} holds numbers that are not finite.")
    return arrays


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read without torch, so that re-judging needs no more than numpy."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = dict(load_file(str(path)))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or damaged: {error}") from error
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{path} holds a number type that is not read here: {error}.") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise CheckpointError(f"{path}: {name} holds {array.dtype}; numbers are needed.")
    return arrays

"""Classes, such as genres: a small network with class weights, its confusion matrix, and a scorer for each class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError
from optimizer.runs import write_atomic
from optimizer.scoring.heads import write_head
from optimizer.training.baselines import nearest_id
from optimizer.training.card import figure_text, table
from optimizer.training.data import Data
from optimizer.training.head import OnEpoch, standardise, transform
from optimizer.training.metrics import Figure, bootstrap
from optimizer.training.network import Checkpoints, Recipe, Tensors, fit_key, forward, settings, train
from optimizer.training.split import Split, grouped_split, random_split

if TYPE_CHECKING:
    import torch

RECIPE = Recipe(hidden=(128,), dropout=0.3)
CONFIG, WEIGHTS = "classifier.json", "classifier.safetensors"


class Classifier:
    """A trained classifier.

    Parameters
    ----------
    classes : sequence of str
    network : tensors
        One output per class.
    mean, std, project : arrays
    info : mapping
        ``encoder`` and so on.
    """

    def __init__(
        self,
        classes: list[str],
        network: Tensors,
        mean: np.ndarray,
        std: np.ndarray,
        project: np.ndarray | None,
        info: dict[str, Any],
    ) -> None:
        self.classes, self.info = classes, info
        self._network, self._mean, self._std, self._project = network, mean, std, project

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return logits [shape=(n, classes)] of embeddings [shape=(n, d)]."""
        return forward(self._network, transform(np.asarray(x, np.float64), self._mean, self._std, self._project))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return class names [shape=(n,)]."""
        return np.asarray(np.array(self.classes, dtype=object)[self.logits(x).argmax(axis=1)])

    def write(self, folder: Path, name: str) -> None:
        """Write the classifier, and under ``classes/`` a head per class that ``--scorer`` loads.

        A class's head gives its logit minus the mean logit of the others, 5 where they are equal.
        """
        from safetensors.numpy import save

        named = {"standardise.mean": self._mean, "standardise.std": self._std, "project": self._project}
        shared = {key: np.asarray(array, np.float32) for key, array in named.items() if array is not None}
        body = {f"net.{key}": array for key, array in self._network.items() if "num_batches" not in key}
        last = max(int(key.split(".")[0]) for key in self._network)
        count = len(self.classes)
        for row, label in enumerate(self.classes):
            mix = np.full(count, -1.0 / (count - 1))
            mix[row] = 1.0
            own = {f"members.0.{key}": array for key, array in body.items()}
            own[f"members.0.net.{last}.weight"] = (mix @ self._network[f"{last}.weight"])[None]
            own[f"members.0.net.{last}.bias"] = np.array([mix @ self._network[f"{last}.bias"]])
            config = {**self.info, "kind": "class", "name": f"{name}-{label}", "target": {"kind": "logistic"}}
            write_head(folder / "classes" / _safe(label), config, {**shared, **own})
        write_atomic(folder / WEIGHTS, save({**shared, **{k: np.ascontiguousarray(v) for k, v in body.items()}}))
        document = {"format": 1, "kind": "classifier", "name": name, "classes": self.classes, **self.info}
        write_atomic(folder / CONFIG, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())


def open_classifier(folder: Path) -> Classifier:
    """Read a classifier back.

    Raises
    ------
    UsageError
        If `folder` holds none.
    """
    from safetensors.numpy import load_file

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = {name: array.astype(np.float64) for name, array in load_file(folder / WEIGHTS).items()}
        network = {name.removeprefix("net."): a for name, a in tensors.items() if name.startswith("net.")}
        mean, std = tensors["standardise.mean"], tensors["standardise.std"]
        return Classifier(config["classes"], network, mean, std, tensors.get("project"), config)
    except Exception as error:
        raise UsageError(
            f"{folder} is no trained classifier: {error}", next_step="Train one: optimize train --task classification"
        ) from error


def train_classifier(
    data: Data,
    target: str,
    out: Path,
    *,
    group: str | None = None,
    seed: int = 0,
    name: str | None = None,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Train, judge under both splits, and write the folder.

    A column ``part`` of train and test, as ``optimize dataset build`` writes it, is kept to instead of a random split.

    Returns
    -------
    dict
        ``card.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(out / ".training")
    labels = data.column(target).astype(str)
    classes, code = np.unique(labels, return_inverse=True)
    if not 2 <= len(classes) <= len(labels) // 2:
        raise UsageError(f"column {target!r} has {len(classes)} classes for {len(labels)} songs; 2 or more are needed.")
    groups = np.arange(len(labels)) if group is None else data.column(group).astype(str)
    splits = {"random": _given_split(data, seed) or random_split(len(labels), seed)}
    if group is not None:
        splits["grouped"] = grouped_split(groups, seed)
    document, gains, model = {}, {}, None
    for kind, split in splits.items():
        model = _fit(data, code, list(map(str, classes)), split, seed, checkpoints, on_epoch)
        t = split.test
        seen = np.sort(np.concatenate([split.train, split.validation]))
        common = int(np.bincount(code[split.train]).argmax())
        said = {"model": model.logits(data.vectors[t]).argmax(axis=1), "constant": np.full(len(t), common)}
        said["ridge"] = _ridge(data.vectors, code, split, len(classes))
        ids = np.arange(len(code)) if data.table["id"].dtype == object else data.table["id"].to_numpy()
        said["nearest id"] = nearest_id(ids[seen], code[seen], ids[t]).astype(int)
        truth = code[t]

        def tell(rows: np.ndarray, said: Any = said, truth: Any = truth) -> dict[str, float]:
            found = {key: float((guess[rows] == truth[rows]).mean()) for key, guess in said.items()}
            return {**found, "gain": found["model"] - max(found["nearest id"], found["constant"])}

        figures = bootstrap(tell, groups[t], seed=seed)
        gains[kind] = figures
        document[kind] = {
            "songs": [len(split.train), len(split.validation), len(t)],
            "accuracy": {key: figure.to_list() for key, figure in figures.items()},
            "confusion": confusion(truth, said["model"], len(classes)).tolist(),
        }
    assert model is not None
    kind = "grouped" if group else "random"
    card = {
        "verdict": _verdict(kind, gains[kind]),
        "task": "classification",
        "target": target,
        "name": name or target,
        "seed": seed,
        "group": group,
        "classes": list(map(str, classes)),
        "encoder": {word: data.info.get(word) for word in ("encoder", "window", "layers", "licence")},
        "splits": document,
    }
    write_atomic(out / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / "card.md", _markdown(card).encode())
    model.write(out, name or target)
    import shutil

    shutil.rmtree(out / ".training", ignore_errors=True)
    return card


def judge_folder(classifier: Classifier, data: Data, target: str = "label", *, seed: int = 0) -> dict[str, Any]:
    """Hold a classifier against songs it has not seen, such as real recordings; labels are compared without case.

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
    truth = np.array([known.get(str(label).casefold(), -1) for label in data.column(target)])
    rows = np.flatnonzero(truth >= 0)
    if not len(rows):
        raise UsageError(f"no song of {data.folder} has a label among {', '.join(classifier.classes)}.")
    guess = classifier.logits(data.vectors[rows]).argmax(axis=1)
    truth = truth[rows]
    figures = bootstrap(lambda r: {"accuracy": float((guess[r] == truth[r]).mean())}, np.arange(len(rows)), seed=seed)
    return {
        "accuracy": figures["accuracy"].to_list(),
        "songs": len(rows),
        "unknown": len(data.vectors) - len(rows),
        "classes": classifier.classes,
        "confusion": confusion(truth, guess, len(classifier.classes)).tolist(),
    }


def confusion(truth: np.ndarray, guess: np.ndarray, count: int) -> np.ndarray:
    """Return how often each true class (row) was taken for each class (column)."""
    matrix = np.zeros((count, count), dtype=int)
    np.add.at(matrix, (truth, guess), 1)
    return matrix


def _fit(
    data: Data, code: np.ndarray, classes: list[str], split: Split, seed: int, kept: Checkpoints, tell: OnEpoch | None
) -> Classifier:
    import torch

    a, v = split.train, split.validation
    mean, std, project = standardise(data.vectors[a])
    z = transform(data.vectors.astype(np.float64), mean, std, project).astype(np.float32)
    counts = np.bincount(code[a], minlength=len(classes))
    if (counts == 0).any():
        raise UsageError(f"class {classes[int(np.argmin(counts))]!r} has no song in the training part; it has too few.")
    weights = torch.from_numpy((len(a) / (len(classes) * counts)).astype(np.float32))
    labels = torch.from_numpy(code[a].astype(np.int64))

    def loss(network: torch.nn.Module, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(x[rows]), labels[rows], weight=weights)

    def validate(predict: Any) -> float:
        out = predict(z[v]).astype(np.float64)
        out = out - out.max(axis=1, keepdims=True)
        lost = np.log(np.exp(out).sum(axis=1)) - out[np.arange(len(v)), code[v]]
        return float(np.average(lost, weights=weights.numpy()[code[v]]))

    key = fit_key("classes", settings(RECIPE), seed, z, code, a, v)
    said = None if tell is None else lambda epoch, epochs: tell("classifier", epoch, epochs)
    done = train(z[a], outputs=len(classes), rows=len(a), loss=loss, validate=validate, recipe=RECIPE, seed=seed,
                 key=key, checkpoints=kept, on_epoch=said)  # fmt: skip
    words = ("encoder", "window", "layers", "spread", "licence")
    info = {word: data.info[word] for word in words if word in data.info}
    return Classifier(classes, done.tensors, mean, std, project, info)


def _ridge(x: np.ndarray, code: np.ndarray, split: Split, count: int) -> np.ndarray:
    mean, std, project = standardise(x[split.train])
    z = transform(x.astype(np.float64), mean, std, project)
    a, goal = z[split.train], np.eye(count)[code[split.train]]
    weight = np.linalg.solve(a.T @ a + len(a) * 0.1 * np.eye(a.shape[1]), a.T @ (goal - goal.mean(axis=0)))
    return np.asarray((z[split.test] @ weight + goal.mean(axis=0)).argmax(axis=1))


def _given_split(data: Data, seed: int) -> Split | None:
    if "part" not in data.table.columns:
        return None
    part = data.column("part").astype(str)
    test, rest = np.flatnonzero(part == "test"), np.flatnonzero(part == "train")
    if not len(test) or len(rest) < 4:
        return None
    order = np.random.default_rng(seed).permutation(rest)
    cut = max(1, len(rest) // 9)
    return Split(np.sort(order[cut:]), np.sort(order[:cut]), test, "random")


def _verdict(kind: str, figures: dict[str, Figure]) -> str:
    gain = figures["gain"]
    word = "beats" if gain.low > 0 else "is NOT SHOWN to beat" if gain.value > 0 else "does NOT beat"
    best = max(figures["nearest id"].value, figures["constant"].value)
    return (
        f"The audio model {word} the no-audio baseline under the {kind} split: accuracy {figures['model']} against "
        f"{best:.3f}, gain {gain}."
    )


def _markdown(card: dict[str, Any]) -> str:
    lines = [card["verdict"], "", f"# {card['name']}", ""]
    lines += [f"Encoder {card['encoder']['encoder']}, licence: {card['encoder']['licence'] or 'not known'}."]
    for kind, split in card["splits"].items():
        lines += ["", f"## {kind.title()} split ({' / '.join(map(str, split['songs']))} songs)", ""]
        lines += table(["", "accuracy"], [[key, figure_text(figure)] for key, figure in split["accuracy"].items()])
        lines += ["", "Rows are the true classes, columns what they were taken for.", ""]
        rows = [[name, *row] for name, row in zip(card["classes"], split["confusion"], strict=True)]
        lines += table(["", *card["classes"]], rows)
    return "\n".join(lines) + "\n"


def _safe(label: str) -> str:
    from optimizer.runs import slug

    return slug(label) or "class"

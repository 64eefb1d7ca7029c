"""Classifiers on embeddings: logistic regression with a ridge penalty, the published network, a blended ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.training.head import MEMBERS, OnEpoch, standardise, transform
from optimizer.training.network import Checkpoints, Recipe, Tensors, fit_key, forward, settings, train

if TYPE_CHECKING:
    import torch

PUBLISHED = Recipe(hidden=(128,))
"""128 units and a softmax on the embedding as it is; the schedule is the published scorer's."""

ROBUST = Recipe(hidden=(128,), batch=128)
RECIPES = ("robust", "published", "ridge")
PENALTIES = tuple(10.0**power for power in range(-4, 2))
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.25, 4.0, 33))


@dataclass(frozen=True, slots=True)
class Softmax:
    """A trained classifier before it is written.

    Attributes
    ----------
    members : tuple of tensors
        Networks of one output per class; outputs are averaged, and a softmax makes them probabilities.
    mean, std, project : float64 arrays or None
    note : mapping
        What is worth recording: epochs, chosen blend, temperature.
    """

    members: tuple[Tensors, ...]
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    project: np.ndarray | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return logits [shape=(n, classes)] of embeddings [shape=(n, d)]."""
        x = transform(np.asarray(x, dtype=np.float64), self.mean, self.std, self.project)
        return np.asarray(np.mean([forward(member, x) for member in self.members], axis=0))

    def tensors(self) -> Tensors:
        """Return what ``head.safetensors`` holds."""
        named = {"standardise.mean": self.mean, "standardise.std": self.std, "project": self.project}
        out = {name: array for name, array in named.items() if array is not None}
        for number, member in enumerate(self.members):
            kept = {name: array for name, array in member.items() if "num_batches" not in name}
            out |= {f"members.{number}.net.{name}": array for name, array in kept.items()}
        return out


def fit(
    recipe: str,
    x: np.ndarray,
    code: np.ndarray,
    xv: np.ndarray,
    codev: np.ndarray,
    count: int,
    *,
    seed: int = 0,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
    members: int = MEMBERS,
) -> Softmax:
    """Train a classifier.

    In every recipe a song weighs inversely to how many its class has, so that each class counts alike.

    Parameters
    ----------
    recipe : {"robust", "published", "ridge"}
        ``robust``: networks on the standardised embedding and a logistic regression, blended, the epochs, the penalty
        and the blend chosen by balanced accuracy, and its temperature by the loss, on the validation part.
        ``published``: one network on the raw embedding, its epoch chosen by the loss. ``ridge``: the logistic
        regression alone.
    x, xv : float32 arrays [shape=(n, d)]
        Training and validation embeddings.
    code, codev : int arrays [shape=(n,)]
        Class numbers below `count`; every class is among the training songs.
    count : int
    seed, checkpoints, on_epoch
    members : int
        Of the robust ensemble.

    Raises
    ------
    UsageError
        If there is no such recipe.
    """
    if recipe not in RECIPES:
        raise UsageError(
            f"recipe {recipe!r} must be one of {', '.join(RECIPES)} for classification.{did_you_mean(recipe, RECIPES)}"
        )
    kept = checkpoints or Checkpoints(None)
    weights = len(code) / (count * np.bincount(code, minlength=count))
    if recipe == "published":
        return _published(x, code, xv, codev, weights, seed, kept, on_epoch)
    mean, std, project = standardise(x)
    z, zv = (transform(np.asarray(part, dtype=np.float64), mean, std, project) for part in (x, xv))
    line, penalty = logistic(z, code, zv, codev, weights)
    if recipe == "ridge":
        return Softmax((line,), mean, std, project, {"penalty": penalty})
    fits = []
    for member in range(members):
        fits.append(
            _network(
                ROBUST, z.astype(np.float32), code, zv, weights, seed * 1000 + member, kept,
                lambda out: score(out, codev, weights), codev,
                _named(on_epoch, f"classifier {member + 1}/{members}"),
            )
        )  # fmt: skip
    networks = tuple(fit.tensors for fit in fits)
    # Copies of the line weigh more without changing how members are averaged.
    blends = {"network": networks, "blend": networks + (line,) * members, "ridge": (line,)}
    figures = {name: score(Softmax(blend).logits(zv), codev, weights) for name, blend in blends.items()}
    # A blend errs least where the validation part is small, so the others must be clearly better.
    chosen = min(figures, key=lambda name: figures[name] - (0.01 if name == "blend" else 0.0))
    warmth = temperature(Softmax(blends[chosen]).logits(zv), codev, weights)
    note = {
        "epochs": [fit.epochs for fit in fits], "blend": chosen, "penalty": penalty, "temperature": warmth,
        "validation": {name: round(figure, 6) for name, figure in figures.items()},
    }  # fmt: skip
    return Softmax(tuple(_cooled(member, warmth) for member in blends[chosen]), mean, std, project, note)


def cross_entropy(logits: np.ndarray, code: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean of minus the log probability of each song's class."""
    raised = logits - logits.max(axis=1, keepdims=True)
    lost = np.log(np.exp(raised).sum(axis=1)) - raised[np.arange(len(code)), code]
    return float(np.average(lost, weights=weights[code]))


def balanced_accuracy(guess: np.ndarray, code: np.ndarray) -> float:
    """Return the mean, over the classes there are, of the share of a class's songs that are recognised."""
    return float(np.mean([(guess[code == one] == one).mean() for one in np.unique(code)]))


def score(logits: np.ndarray, code: np.ndarray, weights: np.ndarray) -> float:
    """Return what is chosen by, smaller being better: balanced error, and among near equals the loss."""
    return 1.0 - balanced_accuracy(logits.argmax(axis=1), code) + 0.01 * cross_entropy(logits, code, weights)


def logistic(
    z: np.ndarray, code: np.ndarray, zv: np.ndarray, codev: np.ndarray, weights: np.ndarray
) -> tuple[Tensors, float]:
    """Fit a logistic regression with a ridge penalty, the one that serves the validation part best.

    Returns
    -------
    mapping, float
        A network of one linear layer, and the penalty. The loss is convex: no seed is in it.
    """
    from scipy.optimize import minimize

    width, count = z.shape[1], len(weights)
    goal = np.eye(count)[code]
    share = (weights[code] / weights[code].sum())[:, None]
    point = np.zeros((width + 1) * count)
    best, chosen, penalty = np.inf, point, PENALTIES[-1]
    # From the stiffest down, each from where the last came to rest.
    for alpha in reversed(PENALTIES):

        def loss(flat: np.ndarray, alpha: float = alpha) -> tuple[float, np.ndarray]:
            w = flat.reshape(width + 1, count)
            out = z @ w[:-1] + w[-1]
            out -= out.max(axis=1, keepdims=True)
            raised = np.exp(out)
            total = raised.sum(axis=1, keepdims=True)
            value = float((share * goal * (np.log(total) - out)).sum()) + alpha / 2 * float((w[:-1] ** 2).sum())
            error = share * (raised / total - goal)
            return value, np.vstack([z.T @ error + alpha * w[:-1], error.sum(axis=0)]).ravel()

        point = minimize(loss, point, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
        w = point.reshape(width + 1, count)
        figure = score(zv @ w[:-1] + w[-1], codev, weights)
        if figure < best:
            best, chosen, penalty = figure, point, alpha
    w = chosen.reshape(width + 1, count)
    return {"0.weight": w[:-1].T.astype(np.float32), "0.bias": w[-1].astype(np.float32)}, penalty


def temperature(logits: np.ndarray, code: np.ndarray, weights: np.ndarray) -> float:
    """Return what logits are best divided by, so that probabilities come true (Guo et al. [1]_).

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    # Ten songs' worth of doubt: a few songs that all were right must not make it certain of everything.
    doubt = 10.0 / len(code)
    losses = [cross_entropy(logits / t, code, weights) + doubt * np.log(t) ** 2 for t in TEMPERATURES]
    return TEMPERATURES[int(np.argmin(losses))]


def _cooled(member: Tensors, warmth: float) -> Tensors:
    last = max(int(name.split(".")[0]) for name in member)
    ends = {f"{last}.{word}": member[f"{last}.{word}"] / np.float32(warmth) for word in ("weight", "bias")}
    return {**member, **ends}


def _published(
    x: np.ndarray,
    code: np.ndarray,
    xv: np.ndarray,
    codev: np.ndarray,
    weights: np.ndarray,
    seed: int,
    kept: Checkpoints,
    tell: OnEpoch | None,
) -> Softmax:
    done = _network(
        PUBLISHED, x, code, xv, weights, seed, kept, lambda out: cross_entropy(out, codev, weights), codev,
        _named(tell, "classifier"),
    )  # fmt: skip
    return Softmax((done.tensors,), note={"epochs": [done.epochs]})


def _network(
    recipe: Recipe,
    x: np.ndarray,
    code: np.ndarray,
    xv: np.ndarray,
    weights: np.ndarray,
    seed: int,
    kept: Checkpoints,
    judge: Callable[[np.ndarray], float],
    codev: np.ndarray,
    tell: Callable[[int, int], None] | None,
) -> Any:
    import torch

    weighed = torch.from_numpy(weights.astype(np.float32))
    labels = torch.from_numpy(code.astype(np.int64))

    def loss(network: Any, data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(data[rows]), labels[rows], weight=weighed)

    return train(
        x, outputs=len(weights), rows=len(x), loss=loss,
        validate=lambda predict: judge(predict(xv).astype(np.float64)),
        recipe=recipe, seed=seed, key=fit_key("classes", settings(recipe), seed, x, code, xv, codev),
        checkpoints=kept, on_epoch=tell,
    )  # fmt: skip


def _named(tell: OnEpoch | None, what: str) -> Callable[[int, int], None] | None:
    return None if tell is None else lambda epoch, epochs: tell(what, epoch, epochs)

"""A song's worth learned from choices between songs: the log odds of a over b are worth(a) - worth(b).

R. A. Bradley and M. E. Terry, "Rank Analysis of Incomplete Block Designs", Biometrika 39, 1952; a tie counts as half a
choice for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.training.head import MEMBERS, PUBLISHED, Model, OnEpoch, standardise, transform
from optimizer.training.network import Checkpoints, Fit, Recipe, Tensors, fit_key, settings, train

if TYPE_CHECKING:
    import torch

ROBUST = Recipe(hidden=(128, 32), norm="none", decay=1e-2)
MANY = 8_000
"""Training pairs from which batches of `ROBUST` are four times as large: an epoch has steps enough then."""

RECIPES = ("robust", "published", "ridge")
PENALTIES = tuple(10.0**power for power in range(-4, 2))

Sides = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Row numbers of a and of b, and the share of the choice that a got: 1, 0, or 0.5 for a tie."""


def fit(
    recipe: str,
    x: np.ndarray,
    learn: Sides,
    check: Sides,
    *,
    seed: int = 0,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
    members: int = MEMBERS,
) -> Model:
    """Learn what a song is worth.

    Parameters
    ----------
    recipe : {"robust", "published", "ridge"}
        ``robust``: networks on the standardised embedding and a linear worth with a ridge penalty, blended; epochs,
        penalty and blend chosen by agreement with the validation pairs. ``published``: the published scorer's shape
        and schedule on the raw embedding, its epoch chosen by the loss. ``ridge``: the linear worth alone.
    x : float32 array [shape=(n, d)]
        Embeddings of all songs.
    learn, check : Sides
        Training and validation pairs.
    seed, checkpoints, on_epoch
    members : int
        Of the robust ensemble.

    Returns
    -------
    Model
        Its output is a worth in log odds. The score is 10 / (1 + exp(-(worth - centre) / scale)), centre and scale
        being the median and the deviation of the training songs' worth.

    Raises
    ------
    UsageError
        If there is no such recipe.
    """
    if recipe not in RECIPES:
        raise UsageError(
            f"recipe {recipe!r} must be one of {', '.join(RECIPES)} for pairwise.{did_you_mean(recipe, RECIPES)}"
        )
    kept = checkpoints or Checkpoints(None)
    songs = np.unique(np.concatenate(learn[:2]))
    if recipe == "published":
        done = _network(PUBLISHED, x, learn, check, seed, kept, log_loss, _named(on_epoch, "pairwise"))
        return _scored(Model((done.tensors,), {}, note={"epochs": [done.epochs]}), x[songs])
    mean, std, project = standardise(x[songs])
    z = transform(x.astype(np.float64), mean, std, project)
    line, penalty = ridge(z, learn, check)
    if recipe == "ridge":
        return _scored(Model((line,), {}, mean, std, project, note={"penalty": penalty}), x[songs])
    shape = ROBUST if len(learn[0]) < MANY else replace(ROBUST, batch=4 * ROBUST.batch)
    fits = [
        _network(
            shape, z.astype(np.float32), learn, check, seed * 1000 + member, kept, disagreement,
            _named(on_epoch, f"pairwise {member + 1}/{members}"),
        )
        for member in range(members)
    ]  # fmt: skip
    networks = tuple(fit.tensors for fit in fits)
    # Copies of the line weigh more without changing how members are averaged.
    blends = {"network": networks, "blend": networks + (line,) * members, "ridge": (line,)}
    figures = {name: disagreement(gap(Model(blend, {}).raw(z), check), check[2]) for name, blend in blends.items()}
    # A blend errs least where the validation part is small, so the others must be clearly better.
    chosen = min(figures, key=lambda name: figures[name] - (0.01 if name == "blend" else 0.0))
    note = {
        "epochs": [fit.epochs for fit in fits], "blend": chosen, "penalty": penalty,
        "validation": {name: round(figure, 6) for name, figure in figures.items()},
    }  # fmt: skip
    return _scored(Model(blends[chosen], {}, mean, std, project, note=note), x[songs])


def ridge(z: np.ndarray, learn: Sides, check: Sides) -> tuple[Tensors, float]:
    """Fit a linear worth, with the ridge penalty that serves the validation pairs best.

    Returns
    -------
    mapping, float
        A network of one linear layer, and the penalty. The loss is convex: no seed is in it, nor who was called a.
    """
    from scipy.optimize import minimize

    apart, share = z[learn[0]] - z[learn[1]], learn[2]
    point = np.zeros(z.shape[1])
    best, chosen, penalty = np.inf, point, PENALTIES[-1]
    # From the stiffest down, each from where the last came to rest.
    for alpha in reversed(PENALTIES):

        def loss(w: np.ndarray, alpha: float = alpha) -> tuple[float, np.ndarray]:
            out = apart @ w
            value = float(np.mean(np.logaddexp(0, out) - share * out)) + alpha / 2 * float(w @ w)
            error = (0.5 * (1 + np.tanh(out / 2)) - share) / len(out)
            return value, apart.T @ error + alpha * w

        point = minimize(loss, point, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
        figure = disagreement(gap(z @ point, check), check[2])
        if figure < best:
            best, chosen, penalty = figure, point, alpha
    return {"0.weight": chosen[None].astype(np.float32), "0.bias": np.zeros(1, np.float32)}, penalty


def gap(worth: np.ndarray, pairs: Sides) -> np.ndarray:
    """Return the worth of a minus that of b."""
    return np.asarray(worth[pairs[0]] - worth[pairs[1]])


def accuracy(difference: np.ndarray, share: np.ndarray) -> float:
    """Return how often the sign of a difference is the choice; ties of people do not count, ties of ours count half."""
    decided = share != 0.5
    if not decided.any():
        return float("nan")
    right = np.where(difference[decided] == 0, 0.5, (difference[decided] > 0) == (share[decided] > 0.5))
    return float(right.mean())


def log_loss(difference: np.ndarray, share: np.ndarray) -> float:
    """Return the logistic loss of differences in log odds; a tie is a choice divided."""
    return float(np.mean(np.logaddexp(0, difference) - share * difference))


def disagreement(difference: np.ndarray, share: np.ndarray) -> float:
    """Return what is chosen by, smaller being better: wrong choices, and among near equals the loss."""
    wrong = 1.0 - accuracy(difference, share)
    return (wrong if np.isfinite(wrong) else 0.0) + 0.01 * log_loss(difference, share)


def _network(
    recipe: Recipe,
    x: np.ndarray,
    learn: Sides,
    check: Sides,
    seed: int,
    kept: Checkpoints,
    judge: Callable[[np.ndarray, np.ndarray], float],
    tell: Callable[[int, int], None] | None,
) -> Fit:
    import torch

    left, right = (torch.from_numpy(side.astype(np.int64)) for side in learn[:2])
    share = torch.from_numpy(learn[2].astype(np.float32))
    heard = np.concatenate([x[check[0]], x[check[1]]])

    def loss(network: Any, data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        out = network(torch.cat([data[left[rows]], data[right[rows]]]))[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(out[: len(rows)] - out[len(rows) :], share[rows])

    def validate(predict: Callable[[np.ndarray], np.ndarray]) -> float:
        out = predict(heard)[:, 0].astype(np.float64)
        return judge(out[: len(check[2])] - out[len(check[2]) :], check[2])

    return train(
        x, outputs=1, rows=len(learn[0]), loss=loss, validate=validate, recipe=recipe, seed=seed,
        key=fit_key("pairwise", settings(recipe), seed, x, *learn, *check), checkpoints=kept, on_epoch=tell,
    )  # fmt: skip


def _scored(model: Model, songs: np.ndarray) -> Model:
    raw = model.raw(songs)
    target = {"kind": "logistic", "centre": float(np.median(raw)), "scale": max(float(raw.std()), 1e-6)}
    return Model(model.members, target, model.mean, model.std, model.project, note=model.note)


def _named(tell: OnEpoch | None, what: str) -> Callable[[int, int], None] | None:
    return None if tell is None else lambda epoch, epochs: tell(what, epoch, epochs)

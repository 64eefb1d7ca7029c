"""Regression heads: ridge, the published network, and an ensemble that is chosen by rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import UsageError, did_you_mean
from optimizer.scoring.heads import Target
from optimizer.training.metrics import mae, spearman
from optimizer.training.network import Checkpoints, Recipe, Tensors, fit_key, forward, settings, train

if TYPE_CHECKING:
    import torch

    from optimizer.training.perceptron import Perceptron

RECIPES = ("published", "robust")
PUBLISHED = Recipe()
ROBUST = Recipe(hidden=(128, 64), batch=128)
MEMBERS = 5
COMPONENTS = 256
"""Principal components kept where the embedding is wider; the rest of 1024 is mostly noise to 5,000 songs."""
ALPHAS = tuple(10.0**power for power in range(-2, 7))
RANK_WEIGHT = 0.5

OnEpoch = Callable[[str, int, int], None]
"""Called with (what is being trained, epoch, epochs)."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained head before it is written.

    Attributes
    ----------
    members : tuple of tensors
        Their outputs are averaged.
    target : mapping
        `Target` as JSON.
    mean, std, project : float64 arrays or None
    units : tuple of float
        (offset, scale): the label is about offset + scale * output.
    note : mapping
        What is worth recording: epochs, chosen blend.
    """

    members: tuple[Tensors, ...]
    target: Mapping[str, Any]
    mean: np.ndarray | None = None
    std: np.ndarray | None = None
    project: np.ndarray | None = None
    units: tuple[float, float] = (0.0, 1.0)
    note: Mapping[str, Any] = field(default_factory=dict)

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Return the members' mean output for rows [shape=(n, d)]."""
        x = transform(np.asarray(x, dtype=np.float64), self.mean, self.std, self.project)
        return np.asarray(np.mean([forward(member, x)[:, 0] for member in self.members], axis=0))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return predicted labels, in the label's own unit."""
        offset, scale = self.units
        return offset + scale * self.raw(x)

    def tensors(self) -> Tensors:
        """Return what ``head.safetensors`` holds."""
        named = {"standardise.mean": self.mean, "standardise.std": self.std, "project": self.project}
        out = {name: array for name, array in named.items() if array is not None}
        for number, member in enumerate(self.members):
            out |= {
                f"members.{number}.net.{name}": array for name, array in member.items() if "num_batches" not in name
            }
        return out


def transform(x: np.ndarray, mean: np.ndarray | None, std: np.ndarray | None, project: np.ndarray | None) -> np.ndarray:
    """Standardise and project rows as `optimizer.scoring.heads.Head` does."""
    if mean is not None and std is not None:
        x = (x - mean) / std
    return x if project is None else x @ project.T


def standardise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Fit mean, deviation and, for a wide embedding, principal components on the training part."""
    x = np.asarray(x, dtype=np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 1e-8 * max(1.0, float(std.max())), std, 1.0)
    if x.shape[1] <= COMPONENTS:
        return mean, std, None
    z = (x - mean) / std
    size = min(COMPONENTS, len(x) - 1)
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    values, vectors = values[::-1][:size], vectors[:, ::-1][:, :size]
    # Signs are free; fixed, the same data give the same file.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(size)])
    return mean, std, (vectors / np.sqrt(max(float(values.mean()), 1e-12))).T


def ridge(x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray) -> Tensors:
    """Fit a ridge regression whose penalty ranks the validation part best.

    Returns
    -------
    mapping
        A network of one linear layer.
    """
    x = np.asarray(x, dtype=np.float64)
    centre, level = x.mean(axis=0), float(y.mean())
    z = x - centre
    values, vectors = np.linalg.eigh(z.T @ z)
    along = vectors.T @ (z.T @ (y - level))
    best, chosen = -np.inf, np.zeros(x.shape[1])
    for alpha in ALPHAS:
        weight = vectors @ (along / (np.maximum(values, 0.0) + alpha * len(x) / 1000))
        prediction = (xv - centre) @ weight
        # Rank first; among equals the smaller error, so that the penalty is not arbitrary.
        figure = spearman(prediction, yv) - 1e-6 * mae(prediction + level, yv)
        if figure > best:
            best, chosen = figure, weight
    bias = level - float(centre @ chosen)
    return {"0.weight": chosen[None].astype(np.float32), "0.bias": np.array([bias], dtype=np.float32)}


def fit_ridge(x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray) -> Model:
    """Fit the baseline: a ridge regression on the standardised embedding, brought to the labels' unit.

    The penalty that ranks best may shrink predictions a thousandfold; the validation part says by how much.
    """
    mean, std, project = standardise(x)
    z, zv = (transform(np.asarray(part, dtype=np.float64), mean, std, project) for part in (x, xv))
    line = (ridge(z, y, zv, yv),)
    raw = Model(line, {}, mean, std, project).raw(xv)
    offset, scale = _units(raw, yv, 0.0, 1.0)
    return Model(line, score_map(y, offset, scale), mean, std, project, (offset, scale))


def fit(
    recipe: str,
    x: np.ndarray,
    y: np.ndarray,
    xv: np.ndarray,
    yv: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    seed: int = 0,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
    members: int = MEMBERS,
) -> Model:
    """Train a regression head.

    Parameters
    ----------
    recipe : {"published", "robust", "ridge"}
    x, xv : float32 arrays [shape=(n, d)]
        Training and validation embeddings.
    y, yv : float arrays [shape=(n,)]
    strata : array [shape=(n,)], optional
        Genres of the training songs: pairs of one genre alone teach the ranking.
    seed : int
    checkpoints : Checkpoints, optional
    on_epoch : callable, optional
    members : int
        Of the robust ensemble.

    Raises
    ------
    UsageError
        If there is no such recipe.
    """
    kept = checkpoints or Checkpoints(None)
    if recipe == "ridge":
        return fit_ridge(x, y, xv, yv)
    if recipe == "published":
        return _published(x, y, xv, yv, seed, kept, on_epoch)
    if recipe == "robust":
        return _robust(x, y, xv, yv, strata, seed, kept, on_epoch, members)
    legal = (*RECIPES, "ridge")
    raise UsageError(f"recipe {recipe!r} must be one of {', '.join(legal)}.{did_you_mean(recipe, legal)}")


def _published(
    x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray, seed: int, kept: Checkpoints, tell: OnEpoch | None
) -> Model:
    import torch

    labels = torch.from_numpy(np.asarray(y, dtype=np.float32))

    def loss(network: Perceptron, data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        # `index_select` takes a quarter of the time of an index in brackets.
        return torch.nn.functional.mse_loss(network(data.index_select(0, rows))[:, 0], labels.index_select(0, rows))

    done = train(
        x,
        outputs=1,
        rows=len(x),
        loss=loss,
        # The published trainer chose its epoch by the absolute error.
        validate=lambda predict: mae(predict(xv)[:, 0].astype(np.float64), yv),
        recipe=PUBLISHED,
        seed=seed,
        key=fit_key("published", settings(PUBLISHED), seed, x, y, xv, yv),
        checkpoints=kept,
        on_epoch=None if tell is None else lambda epoch, epochs: tell("published", epoch, epochs),
    )
    return Model((done.tensors,), score_map(y, 0.0, 1.0), note={"epochs": [done.epochs]})


def _robust(
    x: np.ndarray,
    y: np.ndarray,
    xv: np.ndarray,
    yv: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
    kept: Checkpoints,
    tell: OnEpoch | None,
    members: int,
) -> Model:
    import torch

    mean, std, project = standardise(x)
    z, zv = (transform(np.asarray(part, dtype=np.float64), mean, std, project) for part in (x, xv))
    level, spread = float(y.mean()), float(y.std()) or 1.0
    goal = (y - level) / spread
    labels = torch.from_numpy(goal.astype(np.float32))
    code = np.zeros(len(y), dtype=np.int64) if strata is None else np.unique(strata.astype(str), return_inverse=True)[1]
    kinds = torch.from_numpy(np.asarray(code, dtype=np.int64))
    functional = torch.nn.functional

    def loss(network: Perceptron, data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        out, true, kind = network(data.index_select(0, rows))[:, 0], labels[rows], kinds[rows]
        # RankNet over all pairs of the batch that lie in one genre.
        better = (true[:, None] > true[None]) & (kind[:, None] == kind[None])
        ranking = functional.softplus(-(out[:, None] - out[None])[better])
        return functional.huber_loss(out, true) + (RANK_WEIGHT * ranking.mean() if len(ranking) else 0.0)

    fits = []
    for member in range(members):
        own = seed * 1000 + member

        def said(epoch: int, epochs: int, member: int = member) -> None:
            if tell is not None:
                tell(f"robust {member + 1}/{members}", epoch, epochs)

        fits.append(
            train(
                z.astype(np.float32),
                outputs=1,
                rows=len(z),
                loss=loss,
                validate=lambda predict: -spearman(predict(zv)[:, 0], yv),
                recipe=ROBUST,
                seed=own,
                key=fit_key("robust", settings(ROBUST), own, z, y, zv, yv, code),
                checkpoints=kept,
                on_epoch=said,
            )
        )
    line = ridge(z, goal, zv, (yv - level) / spread)
    networks = tuple(fit.tensors for fit in fits)
    # The ridge's share is chosen by rank; copies of it weigh more without changing how members are averaged.
    blends = {"network": networks, "blend": networks + (line,) * members, "ridge": (line,)}
    figures = {name: spearman(Model(blend, {}).raw(zv), yv) for name, blend in blends.items()}
    # A blend errs least where the validation part is small, so the others must be clearly better.
    chosen = max(figures, key=lambda name: figures[name] + (0.01 if name == "blend" else 0.0))
    model = Model(blends[chosen], {}, mean, std, project)
    offset, scale = _units(model.raw(xv), yv, level, spread)
    note = {"epochs": [fit.epochs for fit in fits], "blend": chosen, "validation_spearman": figures}
    return Model(blends[chosen], score_map(y, offset, scale), mean, std, project, (offset, scale), note)


def _units(raw: np.ndarray, truth: np.ndarray, level: float, spread: float) -> tuple[float, float]:
    """Fit label = offset + scale * output on the validation part; a falling line is not believed."""
    if raw.std() > 1e-9:
        scale, offset = np.polyfit(raw, truth, 1)
        if scale > 1e-3 * spread:
            return float(offset), float(scale)
    return level, spread


def score_map(y: np.ndarray, offset: float, scale: float) -> dict[str, Any]:
    """Say how an output becomes a score of 0 to 10.

    Labels that lie in 0 to 10 are the score itself; others become their percentile among the training labels.
    """
    if y.min() >= 0.0 and y.max() <= 10.0 and y.max() > 1.5:
        plain = (offset, scale) == (0.0, 1.0)
        return {"kind": "clamp"} if plain else {"kind": "affine", "offset": offset, "scale": scale}
    score = np.linspace(0.0, 10.0, 21)
    raw = (np.quantile(y, score / 10.0) - offset) / scale
    points = [(raw[0], score[0])]
    for (_, _), (r, s) in pairwise(zip(raw, score, strict=True)):
        if r > points[-1][0]:
            points.append((r, s))
    if len(points) < 2:
        raise UsageError("all training labels are the same; there is nothing to learn.")
    kind = {"kind": "quantile", "raw": [float(r) for r, _ in points], "score": [float(s) for _, s in points]}
    Target.from_dict(kind)
    return kind

"""Networks that learn: built from sizes, trained in one lean loop, checkpointed, given back as plain arrays."""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.runs import write_atomic
from optimizer.training.parallel import share, threads

if TYPE_CHECKING:
    import torch

Tensors = dict[str, np.ndarray]
CHECKPOINT_SECONDS = 5.0
"""How often a training in progress is written down; each is a few megabytes."""

FORMAT = 3
"""Of a checkpoint; one of another release is not gone on with, for its numbers would come out otherwise."""

PUBLISHED_HIDDEN = (512, 256, 128)
PUBLISHED_DROPOUT = 0.3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    hidden : tuple of int
    dropout : float
    norm : {"batch", "none"}
    rate, decay : float
        Of AdamW; the rate falls to nothing along half a cosine over `epochs`.
    epochs, batch, patience : int
        `patience` epochs without a better validation figure end it.
    """

    hidden: tuple[int, ...] = PUBLISHED_HIDDEN
    dropout: float = PUBLISHED_DROPOUT
    norm: str = "batch"
    rate: float = 1e-3
    decay: float = 1e-4
    epochs: int = 200
    batch: int = 64
    patience: int = 20


@dataclass(frozen=True, slots=True)
class Fit:
    """A trained network.

    Attributes
    ----------
    tensors : mapping of str to array
        Names ``net.<n>.weight`` and so on.
    epochs : int
        Epochs run.
    best : float
        The best validation figure; smaller is better.
    """

    tensors: Tensors
    epochs: int
    best: float


Loss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""Called with the network's output for a batch [shape=(b, outputs)] and the batch's row numbers."""


class Checkpoints:
    """Fits in progress and finished, in a folder; a killed training goes on with the same numbers.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path | None:
        """Return where the fit of a key is kept."""
        return None if self.folder is None else self.folder / f"{key}.pt"

    def load(self, key: str) -> dict[str, Any] | None:
        """Return what is kept, or None; a damaged file counts as none."""
        import torch

        path = self.path(key)
        if path is None or not path.is_file():
            return None
        with suppress(Exception):
            found: dict[str, Any] = torch.load(path, weights_only=True)
            return found if found.get("format") == FORMAT else None
        return None

    def save(self, key: str, state: Mapping[str, Any]) -> None:
        """Keep a state, whole or not at all."""
        import torch

        path = self.path(key)
        if path is not None:
            stream = io.BytesIO()
            torch.save({"format": FORMAT, **state}, stream)
            write_atomic(path, stream.getvalue())


def fit_key(*parts: Any) -> str:
    """Return a name for a fit: equal exactly when settings and data are."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(str((part.dtype, part.shape)).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:24]


def train(
    x: np.ndarray,
    *,
    outputs: int,
    rows: int,
    loss: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor],
    validate: Callable[[Callable[[np.ndarray], np.ndarray]], float],
    recipe: Recipe,
    seed: int,
    key: str,
    checkpoints: Checkpoints,
    on_epoch: Callable[[int, int], None] | None = None,
) -> Fit:
    """Train one network.

    Parameters
    ----------
    x : float32 array [shape=(n, d)]
    outputs : int
    rows : int
        Things that are shuffled and batched: songs, or pairs.
    loss : callable
        (`Perceptron`, x, numbers of a batch of rows) -> scalar.
    validate : callable
        Given a function from arrays [shape=(m, d)] to outputs [shape=(m, outputs)], a figure; smaller is better.
    recipe, seed
    key : str
        See `fit_key`.
    checkpoints : Checkpoints
    on_epoch : callable, optional
        Called with (epoch, epochs).

    Returns
    -------
    Fit
        Of the epoch with the best figure. Bit for bit the same for the same arguments, killed and continued or not,
        on one core or two.
    """
    import torch

    from optimizer.training.perceptron import LARGE, Perceptron

    kept = checkpoints.load(key)
    if kept is not None and kept["done"]:
        return Fit({name: t.numpy() for name, t in kept["best_state"].items()}, kept["epoch"], kept["best"])
    data = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    # A generator of its own: trainings side by side do not draw from each other's numbers.
    generator = torch.Generator().manual_seed(seed)
    # Batches are small: on two cores all but the largest products would wait for each other, and sums lose their order.
    large = x.shape[1] * (recipe.hidden or (outputs,))[0] >= LARGE
    most = min(2, torch.get_num_threads()) if large else 1
    with threads(1):
        network = Perceptron(x.shape[1], outputs, recipe, generator)
        adam = torch.optim.AdamW([network.flat], lr=recipe.rate, weight_decay=recipe.decay, fused=True)
        state: dict[str, Any] = {"epoch": 0, "best": math.inf, "best_state": {}, "since": 0, "done": False}
        if kept is not None:
            state = kept
            network.load(kept["network"])
            adam.load_state_dict(kept["adam"])
            generator.set_state(kept["rng"])
        saved = time.monotonic()

        def predict(part: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return network.predict(torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32))).numpy()

        while state["epoch"] < recipe.epochs and state["since"] < recipe.patience:
            rate = recipe.rate * 0.5 * (1 + math.cos(math.pi * state["epoch"] / recipe.epochs))
            for group in adam.param_groups:
                group["lr"] = rate
            order = torch.randperm(rows, generator=generator)
            network.threads = min(most, share())
            for start in range(0, rows, recipe.batch):
                batch = order[start : start + recipe.batch]
                # A batch norm has no variance over a single song.
                if len(batch) == 1 and start > 0:
                    continue
                network.forget()
                value = loss(network, data, batch)
                value.backward()  # type: ignore[no-untyped-call]
                with threads(network.threads):
                    adam.step()
            figure = float(validate(predict))
            state["epoch"] += 1
            if figure < state["best"] or not state["best_state"]:
                state["best"], state["since"] = figure, 0
                state["best_state"] = network.state()
            else:
                state["since"] += 1
            if on_epoch is not None:
                on_epoch(state["epoch"], recipe.epochs)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                live = {"network": network.state(), "adam": adam.state_dict(), "rng": generator.get_state()}
                checkpoints.save(key, {**state, **live})
                saved = time.monotonic()
    best = state["best_state"]
    checkpoints.save(key, {"done": True, "epoch": state["epoch"], "best": state["best"], "best_state": best})
    return Fit({f"{name}": t.numpy() for name, t in best.items()}, state["epoch"], state["best"])


def forward(tensors: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Apply a trained network to rows [shape=(n, d)] without torch, in float64; outputs [shape=(n, outputs)]."""
    numbers = sorted({int(name.split(".")[0]) for name in tensors})
    out = np.asarray(x, dtype=np.float64)
    linear = [number for number in numbers if tensors[f"{number}.weight"].ndim == 2]
    for number in numbers:
        weight, bias = (tensors[f"{number}.{word}"].astype(np.float64) for word in ("weight", "bias"))
        if weight.ndim == 2:
            if number != linear[0]:
                out = np.maximum(out, 0.0)
            out = out @ weight.T + bias
        else:
            mean, var = (tensors[f"{number}.{word}"].astype(np.float64) for word in ("running_mean", "running_var"))
            out = (out - mean) / np.sqrt(var + 1e-5) * weight + bias
    return out


def settings(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON types."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(recipe).items()}

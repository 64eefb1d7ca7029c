"""A multi-layer perceptron in numpy: assembled from a state dict, run on one vector.

One vector at a time in float64, because a batched product rounds differently with the size of the batch; and without
torch, so that judging remembered embeddings again needs none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optimizer.errors import CheckpointError
from optimizer.scoring.tensors import check_keys

EPSILON = 1e-5
"""Of batch norm and layer norm, torch's default."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer and the norm after it.

    Attributes
    ----------
    weight : float64 array [shape=(outputs, inputs)]
    bias : float64 array [shape=(outputs,)]
    norm : {"none", "batch", "layer"}
    gain, shift : float64 arrays [shape=(outputs,)]
        What the norm multiplies with and adds; a batch norm's statistics are folded in.
    """

    weight: np.ndarray
    bias: np.ndarray
    norm: str = "none"
    gain: np.ndarray | None = None
    shift: np.ndarray | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Apply to one vector."""
        x = self.weight @ x + self.bias
        if self.norm == "layer":
            x = (x - x.mean()) / np.sqrt(x.var() + EPSILON)
        return x if self.gain is None or self.shift is None else x * self.gain + self.shift


def outputs(layers: Sequence[Layer], x: np.ndarray) -> np.ndarray:
    """Apply a network with ReLU after every layer but the last to one vector [shape=(d,)]."""
    for layer in layers[:-1]:
        x = np.maximum(layer(x), 0.0)
    return layers[-1](x)


def run(layers: Sequence[Layer], x: np.ndarray) -> float:
    """Apply a network of one output to one vector [shape=(d,)]."""
    return float(outputs(layers, x)[0])


_NAME = re.compile(r"(?:.*\.)?([0-9]{1,6})\.(weight|bias|running_mean|running_var|num_batches_tracked)")


def read_network(tensors: Mapping[str, np.ndarray], path: Path, ends: int = 1) -> tuple[Layer, ...]:
    """Assemble a network from a sequential's state dict; its dims are read from the tensors.

    Parameters
    ----------
    tensors : mapping of str to array
        Names end in ``<number>.weight`` and so on; whatever comes before the number must be the same in all.
    path : Path
        For messages.
    ends : int
        Outputs of the last layer.

    Raises
    ------
    CheckpointError
        If a tensor is missing or left over, shapes do not follow on one another, or the last layer has another number
        of outputs.
    """
    groups: dict[int, dict[str, np.ndarray]] = {}
    prefixes: set[str] = set()
    for name, tensor in tensors.items():
        if match := _NAME.fullmatch(name):
            prefixes.add(name[: match.start(1)])
            groups.setdefault(int(match[1]), {})[match[2]] = tensor
    if len(prefixes) > 1:
        raise CheckpointError(f"{path} holds several networks ({', '.join(sorted(prefixes))}); one is expected.")
    prefix = next(iter(prefixes), "net.")
    expected = _expected(groups, prefix)
    # A count of training batches says nothing about the network, but belongs to a batch norm.
    counts = [name for name in tensors if name.endswith(".num_batches_tracked")]
    counted = [name for name in counts if name.replace("num_batches_tracked", "running_mean") in expected]
    check_keys(path, {name: tensor for name, tensor in tensors.items() if name not in counted}, expected)
    layers = _assemble([groups[number] for number in sorted(groups)], path)
    norms = {layer.norm for layer in layers[:-1]}
    if not layers or layers[-1].weight.shape[0] != ends or len(norms) > 1 or layers[-1].norm != "none":
        sizes = "-".join(str(layer.weight.shape[0]) for layer in layers) or "none"
        raise CheckpointError(
            f"{path} is not a head: its linear layers (outputs {sizes}) must end in {ends} output{'s' * (ends > 1)} "
            f"without a norm, and all before must have the same norm, not {' and '.join(sorted(norms)) or 'none'}."
        )
    return tuple(layers)


def _expected(groups: Mapping[int, Mapping[str, np.ndarray]], prefix: str) -> dict[str, tuple[int, ...]]:
    """Return every tensor that must be there, with its shape, judged by the tensors that are."""
    expected: dict[str, tuple[int, ...]] = {}
    width: int | None = None
    for number in sorted(groups):
        group = groups[number]
        weight = group.get("weight")
        statistics = {"running_mean", "running_var"} & set(group)
        linear = weight.ndim == 2 if weight is not None else not statistics
        sizes = [int(array.shape[0]) for array in group.values() if array.ndim]
        outputs = sizes[0] if sizes else 0
        shapes: dict[str, tuple[int, ...]]
        if linear:
            # What a missing first layer would take in is not known; its own name is reported anyway.
            inputs = width if width is not None else int(weight.shape[1]) if weight is not None else outputs
            shapes = {"weight": (outputs, inputs), "bias": (outputs,)}
            width = outputs
        else:
            width = outputs if width is None else width
            words = ("weight", "bias", "running_mean", "running_var") if statistics else ("weight", "bias")
            shapes = dict.fromkeys(words, (width,))
        expected |= {f"{prefix}{number}.{word}": shape for word, shape in shapes.items()}
    return expected


def _assemble(groups: Sequence[Mapping[str, np.ndarray]], path: Path) -> list[Layer]:
    layers: list[Layer] = []
    for group in groups:
        values = {word: np.asarray(tensor, dtype=np.float64) for word, tensor in group.items()}
        if values["weight"].ndim == 2:
            layers.append(Layer(values["weight"], values["bias"]))
            continue
        if not layers or layers[-1].norm != "none":
            raise CheckpointError(f"{path} is not a head: a norm must follow a linear layer.")
        gain, shift, norm = values["weight"], values["bias"], "layer"
        if "running_mean" in values:
            norm = "batch"
            gain = gain / np.sqrt(values["running_var"] + EPSILON)
            shift = shift - values["running_mean"] * gain
        layers[-1] = Layer(layers[-1].weight, layers[-1].bias, norm, gain, shift)
    return layers

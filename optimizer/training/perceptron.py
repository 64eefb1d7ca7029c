"""A perceptron whose forward and backward pass are written out: its batches are so small that a general engine's
bookkeeping (graphs, fresh gradients, a draw per dropout) costs as much as the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optimizer.training.parallel import threads

if TYPE_CHECKING:
    import torch

    from optimizer.training.network import Recipe

EPSILON, MOMENTUM = 1e-5, 0.1
"""Of the batch norm, as in the published head."""

LARGE = 2**17
"""Weights from which a layer's products are shared among threads; less is done before a second one has begun."""

_ALIGN = 16
"""Floats: every matrix begins on a cache line."""


@dataclass(slots=True)
class _Part:
    """A parameter and its gradient: views of the flat tensors."""

    value: torch.Tensor
    slope: torch.Tensor


@dataclass(slots=True)
class _Layer:
    """A linear layer, and the batch norm after it where there is one.

    ``weight`` is (inputs, outputs); that of the first layer (halves, inputs, outputs of a half).
    """

    number: int
    weight: _Part
    bias: _Part
    scale: _Part | None
    shift: _Part | None
    mean: torch.Tensor
    var: torch.Tensor

    @property
    def large(self) -> bool:
        """Whether its products are worth more than one thread."""
        return self.weight.value.numel() >= LARGE

    def linear(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the linear layer makes of inputs [shape=(n, inputs)]."""
        import torch

        weight = self.weight.value
        if weight.ndim == 2:
            return torch.addmm(self.bias.value, x, weight)
        bias = self.bias.value.view(len(weight), 1, -1)
        return torch.baddbmm(bias, x.expand(len(weight), *x.shape), weight).transpose(0, 1).flatten(1)

    def learn(self, x: torch.Tensor, slope: torch.Tensor, fresh: bool) -> None:
        """Put the gradient by the outputs [shape=(n, outputs)] into the weights' own."""
        by, beta = self.weight.slope, 0 if fresh else 1
        if by.ndim == 2:
            by.addmm_(x.t(), slope, beta=beta)
        else:
            halves = slope.view(len(x), len(by), -1).transpose(0, 1)
            by.baddbmm_(x.t().expand(len(by), x.shape[1], len(x)), halves, beta=beta)

    def parameters(self) -> Iterator[tuple[str, _Part]]:
        """Yield the names that `torch.nn.Sequential` gives."""
        yield f"{self.number}.weight", self.weight
        yield f"{self.number}.bias", self.bias
        if self.scale is not None and self.shift is not None:
            yield f"{self.number + 1}.weight", self.scale
            yield f"{self.number + 1}.bias", self.shift

    def moments(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield what the norm remembers."""
        if self.scale is not None:
            yield f"{self.number + 1}.running_mean", self.mean
            yield f"{self.number + 1}.running_var", self.var


class Perceptron:
    """Linear, batch norm, ReLU, dropout and so on, a linear layer last: the published head's order.

    All parameters lie in one flat tensor, so that an optimizer goes over them in one pass. Matrices are kept as
    (inputs, outputs): the products of a forward pass are then a fifth cheaper. The first, which is most of the work,
    is kept as two halves that are multiplied as a batch: two threads then take one each, and every sum is that of
    one thread, to the bit.

    Parameters
    ----------
    inputs, outputs : int
    recipe : Recipe
        ``hidden``, ``norm`` and ``dropout`` are read.
    generator : torch.Generator
        Draws the first weights, uniform in ±1/sqrt(fan-in) as `torch.nn.Linear` does, and every dropout.

    Attributes
    ----------
    flat : float tensor
        All parameters; its ``grad`` is filled by a loss's backward pass.
    threads : int
        For the products of large layers; what else a step does is too little to share out.
    """

    def __init__(self, inputs: int, outputs: int, recipe: Recipe, generator: torch.Generator) -> None:
        import torch

        self._generator, self._dropout = generator, recipe.dropout
        self.threads = 1
        sizes = [*zip((inputs, *recipe.hidden), (*recipe.hidden, outputs), strict=True)]
        norms = [recipe.norm == "batch" and number < len(recipe.hidden) for number in range(len(sizes))]
        wanted = [_room(width * size) + (3 if norm else 1) * _room(size)
                  for (width, size), norm in zip(sizes, norms, strict=True)]  # fmt: skip
        self._values, self._slopes = torch.zeros(sum(wanted)), torch.zeros(sum(wanted))
        self._at = 0
        self._layers: list[_Layer] = []
        for number, ((width, size), norm) in enumerate(zip(sizes, norms, strict=True)):
            halves = (2,) if number == 0 and size % 2 == 0 else ()
            weight, bias = self._part(*halves, width, size // (2 if halves else 1)), self._part(size)
            scale, shift = (self._part(size), self._part(size)) if norm else (None, None)
            for part in (weight, bias):
                part.value.uniform_(-(width**-0.5), width**-0.5, generator=generator)
            if scale is not None:
                scale.value.fill_(1.0)
            # The published head counts linear, norm, ReLU and dropout.
            layer = _Layer(4 * number, weight, bias, scale, shift, torch.zeros(size), torch.ones(size))
            self._layers.append(layer)
        # The same memory under a second name: its views above stay out of every graph.
        self.flat = self._values.detach().requires_grad_()
        self.flat.grad = self._slopes
        self._fresh = True
        self._passes = 0
        self._rooms: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]] = {}
        self._apply = _function()

    def _part(self, *shape: int) -> _Part:
        start, end = self._at, self._at + math.prod(shape)
        self._at += _room(math.prod(shape))
        return _Part(self._values[start:end].view(shape), self._slopes[start:end].view(shape))

    def forget(self) -> None:
        """Let the next backward pass begin its gradient anew instead of adding to the last: a step is done."""
        self._fresh, self._passes = True, 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs [shape=(n, outputs)] for a training batch [shape=(n, inputs)]; a loss of them goes back."""
        out: torch.Tensor = self._apply(x, self.flat, self)
        return out

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs [shape=(n, outputs)] with the running moments and without dropout."""
        import torch

        for layer in self._layers:
            x = layer.linear(x)
            if layer.scale is not None and layer.shift is not None:
                scale, shift = layer.scale.value, layer.shift.value
                x = torch.nn.functional.batch_norm(x, layer.mean, layer.var, scale, shift, eps=EPSILON)
            if layer is not self._layers[-1]:
                x.clamp_min_(0.0)
        return x

    def state(self) -> dict[str, torch.Tensor]:
        """Return copies of parameters and moments under the names and in the shapes of `torch.nn.Sequential`."""
        out: dict[str, torch.Tensor] = {}
        for layer in self._layers:
            out |= {name: _outputs_first(part.value).clone() for name, part in layer.parameters()}
            out |= {name: moment.clone() for name, moment in layer.moments()}
        return out

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take what `state` returned."""
        for layer in self._layers:
            for name, part in layer.parameters():
                _put(part.value, state[name])
            for name, moment in layer.moments():
                moment.copy_(state[name])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[Any]]:
        """Return outputs, and per layer what `backward` needs: input, before norm, mean, 1 / deviation, kept."""
        import torch

        masks, saved = self._masks(len(x)), list[Any]()
        for number, layer in enumerate(self._layers):
            with threads(self.threads if layer.large else 1):
                z = layer.linear(x)
            if layer is self._layers[-1]:
                saved.append((x, None, None, None, None))
                break
            y, mean, inverse = z, None, None
            if layer.scale is not None and layer.shift is not None:
                y, mean, inverse = torch.native_batch_norm(
                    z, layer.scale.value, layer.shift.value, layer.mean, layer.var, True, MOMENTUM, EPSILON
                )
            y.clamp_min_(0.0)
            if masks:
                y.mul_(masks[number])
            saved.append((x, z, mean, inverse, masks[number] if masks else None))
            x = y
        return z, saved

    def backward(self, slope: torch.Tensor, saved: list[Any]) -> None:
        """Turn a loss's gradient by the outputs [shape=(n, outputs)] into its gradient by the parameters."""
        import torch

        aten, fresh = torch.ops.aten, self._fresh
        self._fresh = False
        after = None
        for layer, (x, z, mean, inverse, mask) in zip(self._layers[::-1], saved[::-1], strict=True):
            if after is not None:
                # What the layer gave, dropout and all, is positive just where its ReLU let something through.
                slope = aten.threshold_backward(slope, after, 0)
                if mask is not None:
                    slope.mul_(mask)
            if layer.scale is not None and layer.shift is not None:
                slope, by_scale, by_shift = aten.native_batch_norm_backward(
                    slope, z, layer.scale.value, None, None, mean, inverse, True, EPSILON, [True, True, True]
                )
                _add(layer.scale.slope, by_scale, fresh)
                _add(layer.shift.slope, by_shift, fresh)
                # The norm takes the batch's mean off: a bias before it changes nothing, and its gradient stays 0.
            else:
                _add(layer.bias.slope, slope.sum(0), fresh)
            with threads(self.threads if layer.large else 1):
                layer.learn(x, slope, fresh)
                if layer is not self._layers[0]:
                    slope = slope @ layer.weight.value.t()
            after = x

    def _masks(self, n: int) -> list[torch.Tensor]:
        """Draw every layer's dropout at once: 0 for what is dropped, 1 / (1 - rate) for what stays.

        16 random bits decide each, so that the rate is kept to 1 in 100,000: a draw of 64 bits serves four. The
        memory is used again in the next step (see `forget`), never by a second pass of this one.
        """
        import torch

        widths = [len(layer.bias.value) for layer in self._layers[:-1]]
        if not self._dropout or not widths:
            return []
        key = (n, self._passes)
        self._passes += 1
        if key not in self._rooms:
            kept = torch.empty(n * sum(widths))
            parts = [part.view(n, -1) for part in torch.split(kept, [n * width for width in widths])]
            self._rooms[key] = (torch.empty(-(-len(kept) // 4), dtype=torch.int64), kept, parts)
        bits, kept, parts = self._rooms[key]
        bits.random_(-(2**63), None, generator=self._generator)
        torch.ge(bits.view(torch.int16)[: len(kept)], round(self._dropout * 65536) - 32768, out=kept)
        kept.mul_(1.0 / (1.0 - self._dropout))
        return parts


def _add(slope: torch.Tensor, more: torch.Tensor, fresh: bool) -> None:
    if fresh:
        slope.copy_(more)
    else:
        slope.add_(more)


def _outputs_first(value: torch.Tensor) -> torch.Tensor:
    """Return a vector as it is, a matrix as (outputs, inputs)."""
    return value if value.ndim == 1 else value.transpose(-2, -1).reshape(-1, value.shape[-2])


def _put(value: torch.Tensor, given: torch.Tensor) -> None:
    """Undo `_outputs_first`."""
    if value.ndim > 1:
        *halves, inputs, outputs = value.shape
        given = given.view(*halves, outputs, inputs).transpose(-2, -1)
    value.copy_(given)


def _room(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _function() -> Any:
    """Return the bridge to a loss that is differentiated as usual; torch is imported only where something learns."""
    import torch

    class Passes(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: torch.Tensor, flat: torch.Tensor, network: Perceptron) -> torch.Tensor:
            out, saved = network.forward(x)
            context.network, context.saved = network, saved
            return out

        @staticmethod
        def backward(context: Any, slope: torch.Tensor) -> tuple[None, None, None]:
            context.network.backward(slope, context.saved)
            # The gradient is in its place already.
            return None, None, None

    return Passes.apply

"""The linear form of the model: points as rows of basis functions, one group for each effect and pair of effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from optimizer.samplers.grid import Block, Factor

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

OCTAVES = 0.25
"""Distance in log2(BPM) over which BPMs do alike."""
REACH = 0.3
"""The same for other numbers, as a share of their range."""
KNOTS = 64
"""Values up to which a numeric factor has a basis of its own; beyond, one interpolated from as many knots."""
NEGLIGIBLE = 1e-8
"""Share of the largest eigenvalue below which a direction of the kernel is left out."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Prior standard deviations of the effects, in units of the noise.

    Attributes
    ----------
    style, bpm, key, language, other : float
        Main effects; `other` is that of parameters by any other name.
    pair : float
        Of each pair of parameters.
    combo : float
        Of what is particular to one combination.
    """

    style: float = 0.35
    bpm: float = 0.12
    key: float = 0.20
    language: float = 0.15
    other: float = 0.25
    pair: float = 0.18
    combo: float = 0.30

    def main(self, name: str) -> float:
        """Return the main effect's sd of a parameter."""
        return float(getattr(self, name)) if name in ("style", "bpm", "key", "language") else self.other

    def scaled(self, factor: float) -> Effects:
        """Return all effects times `factor`."""
        return replace(self, **{name: factor * getattr(self, name) for name in self.__slots__})


class Features:
    """Basis functions of one genre's points.

    A categorical factor has one column per value; a numeric one the leading eigenvectors of a squared-exponential
    kernel over its values; a pair the products of both. So the kernel of the effects is ``F diag(variances) F'``.

    Parameters
    ----------
    block : Block
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self._active = [(position, factor) for position, factor in enumerate(block.factors) if len(factor.values) > 1]
        self._tables = [_basis(factor) for _, factor in self._active]
        widths = [table.shape[1] for table in self._tables]
        self._groups: list[tuple[str, int]] = [("intercept", 1)]
        self._groups += [(factor.name, width) for (_, factor), width in zip(self._active, widths, strict=True)]
        self._pairs = [(left, right) for right in range(len(widths)) for left in range(right)]
        self._groups += [("", widths[left] * widths[right]) for left, right in self._pairs]
        self._all: Array | None = None

    @property
    def count(self) -> int:
        """Number of columns."""
        return sum(width for _, width in self._groups)

    @property
    def has_combos(self) -> bool:
        """Whether a point is more than one parameter's value."""
        return len(self._active) > 1

    def rows(self, points: Indices) -> Array:
        """Return the basis functions at some points [shape=(points, columns)]."""
        if self.block.size > 4096:
            return self._compute(points)
        if self._all is None:
            self._all = self._compute(np.arange(self.block.size))
        return self._all if len(points) == self.block.size else self._all[points]

    def variances(self, effects: Effects, intercept: float) -> Array:
        """Return the prior variance of each column's coefficient, in units of the noise variance [shape=(columns,)].

        Parameters
        ----------
        effects : Effects
        intercept : float
            Prior sd of the genre's mean, in units of the noise.
        """
        sds = [intercept, *(effects.main(name) if name else effects.pair for name, _ in self._groups[1:])]
        return np.repeat(np.square(sds), [width for _, width in self._groups])

    def _compute(self, points: Indices) -> Array:
        levels = self.block.levels(points)
        mains = [table[levels[:, position]] for (position, _), table in zip(self._active, self._tables, strict=True)]
        pairs = [
            np.einsum("ij,ik->ijk", mains[left], mains[right]).reshape(
                len(points), mains[left].shape[1] * mains[right].shape[1]
            )
            for left, right in self._pairs
        ]
        return np.concatenate([np.ones((len(points), 1)), *mains, *pairs], axis=1)


@lru_cache(maxsize=64)
def features_of(block: Block) -> Features:
    """Return a block's features; kept, since they depend on nothing else."""
    return Features(block)


def _basis(factor: Factor) -> Array:
    if not factor.numeric:
        return np.eye(len(factor.values))
    scale = factor.scale
    reach = OCTAVES if factor.octaves else REACH * float(np.ptp(scale))
    knots = scale if len(scale) <= KNOTS else np.linspace(scale.min(), scale.max(), KNOTS)
    values, vectors = np.linalg.eigh(_smooth(knots, knots, reach))
    kept = values > NEGLIGIBLE * values[-1]
    table = _smooth(scale, knots, reach) @ vectors[:, kept] / np.sqrt(values[kept])
    # An eigenvector's sign is arbitrary and may differ between machines; nothing depends on it but rounding.
    return np.asarray(table * np.where(table[np.argmax(np.abs(table), axis=0), range(table.shape[1])] < 0, -1.0, 1.0))


def _smooth(left: Array, right: Array, reach: float) -> Array:
    return np.asarray(np.exp(-0.5 * ((left[:, None] - right[None, :]) / reach) ** 2))

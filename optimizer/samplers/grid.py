"""The points that exist, genre by genre, as arrays of levels that the model and the sweep compute with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizer.errors import UsageError
from optimizer.samplers.ranges import BPM, SLACK, Spacing, levels_of
from optimizer.samplers.seeds import derive_seed

GENRE = "genre"
STYLE = "style"
SEED = "seed"

MANY = 1500
"""Points of a genre above which proposals weigh a sample of them rather than all."""


@dataclass(frozen=True)
class Factor:
    """One parameter within a genre.

    Attributes
    ----------
    name : str
    values : tuple
        Legal values in a fixed order.
    numeric : bool
        Whether close values are expected to do alike: BPM, and any list of more than two numbers.
    spacing : {"listed", "steps", "linear", "geometric"}
        Where the values come from; of the last two, any number of the range counts as the value closest to it.
    """

    name: str
    values: tuple[Any, ...]
    numeric: bool
    spacing: Spacing = "listed"

    @cached_property
    def index(self) -> dict[Any, int]:
        """Position of each value."""
        return {value: position for position, value in enumerate(self.values)}

    @cached_property
    def octaves(self) -> bool:
        """Whether distances are counted in octaves, as those of BPMs are; otherwise in plain differences."""
        return self.name == BPM and min(self.values) > 0

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """Where each value of a numeric factor lies [shape=(values,)]; as a share of a range of fractions."""
        places = self._places
        if self.octaves or self.spacing == "listed" or len(places) == 1:
            return places
        return np.asarray((places - places[0]) / (places[-1] - places[0]))

    def level(self, value: Any) -> int | None:
        """Return the position of a value, or None for one that is not legal.

        Raises
        ------
        TypeError
            If it is no value at all, such as a list.
        """
        found = self.index.get(value)
        if found is not None or self.spacing == "listed" or not isinstance(value, (int, float)):
            return found
        if not self.values[0] <= value <= self.values[-1]:
            return None
        apart = np.abs(self._places - self._place(value))
        nearest = int(np.argmin(apart))
        if self.spacing == "steps" and apart[nearest] > SLACK * float(np.diff(self._places).min()):
            return None
        return nearest

    @cached_property
    def _places(self) -> NDArray[np.float64]:
        return np.array([self._place(value) for value in self.values])

    def _place(self, value: float) -> float:
        return math.log2(value) if self.octaves or self.spacing == "geometric" else float(value)


@dataclass(frozen=True)
class Block:
    """All points of one genre: the product of its factors, counted in the order of `itertools.product`.

    Attributes
    ----------
    genre : str or None
        None where the study has no genres.
    factors : tuple of Factor
    """

    genre: str | None
    factors: tuple[Factor, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each factor."""
        return tuple(len(factor.values) for factor in self.factors)

    @cached_property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def point(self, index: int) -> dict[str, Any]:
        """Return the point at `index` as Optuna parameters."""
        levels = np.unravel_index(index, self.shape) if self.factors else ()
        point = {} if self.genre is None else {GENRE: self.genre}
        return point | {
            factor.name: factor.values[int(level)] for factor, level in zip(self.factors, levels, strict=True)
        }

    def find(self, params: Mapping[str, Any]) -> int | None:
        """Return the index of a point, or None where the block does not contain it."""
        index = 0
        for factor, size in zip(self.factors, self.shape, strict=True):
            if size == 1 and factor.name not in params:
                # Nobody need ask for what cannot be otherwise.
                continue
            try:
                level = factor.level(params.get(factor.name))
            except TypeError:
                return None
            if level is None:
                return None
            index = index * size + level
        return index

    def levels(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the levels of points [shape=(points, factors)]."""
        if not self.factors:
            return np.zeros((len(indices), 0), dtype=np.int64)
        return np.stack(np.unravel_index(indices, self.shape), axis=1).astype(np.int64)

    def candidates(self, number: int, seed: int, keep: Sequence[int] = ()) -> NDArray[np.int64]:
        """Return the points that a proposal weighs: all, or a sample that always holds `keep` and its neighbours.

        Parameters
        ----------
        number : int
            Of the trial; with `seed` it decides the sample.
        seed : int
        keep : sequence of int
            Points to weigh in any case, with all that differ from them in one factor.
        """
        if self.size <= MANY:
            return np.arange(self.size)
        random = np.random.default_rng(derive_seed(seed, "candidates", number, self.genre))
        chosen = [random.integers(0, self.size, MANY // 2), np.asarray(keep, dtype=np.int64)]
        levels = self.levels(np.asarray(keep[:8], dtype=np.int64))
        for column, size in enumerate(self.shape):
            for row in levels:
                near = np.repeat(row[None, :], min(size, 64), axis=0)
                near[:, column] = (row[column] + np.arange(len(near)) - len(near) // 2) % size
                chosen.append(np.ravel_multi_index(tuple(near.T), self.shape))
        return np.unique(np.concatenate(chosen))


class Grid:
    """The points of a study.

    Parameters
    ----------
    search_space : mapping
        Parameter name to its legal values: a sequence, or a range as `levels_of` takes it.
    subspaces : mapping, optional
        Genre to its own legal values, where not every combination exists. Without it, and where every style is
        written ``"genre/style"``, a genre has the styles that name it and everything else.

    Raises
    ------
    UsageError
        If a parameter has no value, one value twice, or a range that cannot be searched, or a genre is None.
    """

    def __init__(
        self, search_space: Mapping[str, Any], subspaces: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        levels = {name: levels_of(name, choices) for name, choices in search_space.items() if name != SEED}
        self.values = {name: values for name, (values, _) in levels.items()}
        self.spacings = {name: spacing for name, (_, spacing) in levels.items()}
        if subspaces is None and GENRE in levels:
            # A list may be one that can be read only once.
            space = {name: values if own == "listed" else search_space[name] for name, (values, own) in levels.items()}
            subspaces = {genre: _of_genre(genre, space) for genre in self.values[GENRE]}
        if None in (subspaces or ()):
            raise UsageError(
                "genre None is not usable: a genre must be a name or a number.", next_step="Give it a name."
            )
        if subspaces is None:
            self.blocks: tuple[Block, ...] = (_block(None, levels),)
        else:
            self.blocks = tuple(
                _block(genre, {name: levels_of(name, choices) for name, choices in space.items()})
                for genre, space in subspaces.items()
            )
        self._of_genre = {block.genre: number for number, block in enumerate(self.blocks)}

    @property
    def size(self) -> int:
        """Number of points."""
        return sum(block.size for block in self.blocks)

    @property
    def several(self) -> bool:
        """Whether there is more than one genre."""
        return len(self.blocks) > 1

    def block_of(self, params: Mapping[str, Any], genre: str | None = None) -> int | None:
        """Return the number of the block that `params` belong to, judged by the genre alone."""
        if self.blocks[0].genre is None:
            return 0
        return self._of_genre.get(params.get(GENRE, genre))

    def find(self, params: Mapping[str, Any]) -> tuple[int, int] | None:
        """Return block number and index of a point, or None where the grid does not contain it."""
        number = self.block_of(params)
        if number is None:
            return None
        index = self.blocks[number].find(params)
        return None if index is None else (number, index)


def _of_genre(genre: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """Guess a genre's own values where nobody said them."""
    styles = levels_of(STYLE, space[STYLE])[0] if STYLE in space else ()
    prefix = f"{genre}/"
    named = all(isinstance(style, str) and "/" in style for style in styles)
    own = tuple(style for style in styles if str(style).startswith(prefix)) if named else styles
    return {**space, GENRE: (genre,), **({STYLE: own or styles} if styles else {})}


def _block(genre: str | None, levels: Mapping[str, tuple[tuple[Any, ...], Spacing]]) -> Block:
    return Block(
        genre,
        tuple(
            Factor(name, values, _numeric(name, values), spacing)
            for name, (values, spacing) in levels.items()
            if name not in (GENRE, SEED)
        ),
    )


def _numeric(name: str, values: tuple[Any, ...]) -> bool:
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return numbers and (name == BPM or len(values) > 2)


def all_points(grid: Grid) -> itertools.chain[dict[str, Any]]:
    """Yield every point of a grid once, genre by genre."""
    return itertools.chain.from_iterable((block.point(index) for index in range(block.size)) for block in grid.blocks)

"""What a search begins with: songs of earlier studies, as they are kept with the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from optimizer.errors import UsageError
from optimizer.runs import RunDirectory
from optimizer.search_space import SearchSpace, frozen

if TYPE_CHECKING:
    # As in `estimates`: it takes half a second to import.
    from optimizer.samplers import Grid, Model, Observation

PRIOR_FILE = "prior.json"
"""What the run's search begins with, as it was when the run was started."""
SWEPT = 20
"""Earlier songs of a genre with which a sweep gains nothing more (docs/search.md)."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What a search begins with.

    Attributes
    ----------
    observations : tuple of Observation
        Earlier songs of this search's genres.
    others : tuple of (SearchSpace, tuple of Observation)
        Earlier songs of other genres. Which style or key was good there does harm here (docs/search.md), so only
        the sizes of effects and the noise are learned from them.
    studies : mapping of str to int
        How many songs each study gave, where that is known; for people.
    """

    observations: tuple[Observation, ...] = ()
    others: tuple[tuple[SearchSpace, tuple[Observation, ...]], ...] = ()
    studies: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __bool__(self) -> bool:
        return bool(self.observations or self.others)

    @property
    def size(self) -> int:
        """Number of songs, of whatever genre."""
        return len(self.observations) + sum(len(songs) for _, songs in self.others)

    def covers(self, space: SearchSpace) -> bool:
        """Whether each genre of `space` has `SWEPT` songs or more, so that no sweep is needed."""
        if not self.observations:
            return False
        grid = _grid(space)
        songs = [0] * len(grid.blocks)
        for one in self.observations:
            place = grid.find({"genre": one.genre, **one.params})
            if place is not None:
                songs[place[0]] += 1
        return min(songs) >= SWEPT

    def same_as(self, other: Prior) -> bool:
        """Whether `other` has the same songs, in whatever order they are kept."""
        return _songs(self) == _songs(other)

    def model(self) -> Model | None:
        """Return the model's settings as the other genres suggest them; None where there are none."""
        if not self.others:
            return None
        from optimizer.samplers import learn

        return learn([(_grid(space), songs) for space, songs in self.others])


def to_json(prior: Prior) -> str:
    """Write what a search begins with, to be kept with the run: its proposals depend on it for good."""
    document = {
        "observations": [asdict(one) for one in prior.observations],
        "others": [
            {"space": frozen.to_json(space), "observations": [asdict(one) for one in songs]}
            for space, songs in prior.others
        ],
    }
    return json.dumps(document, ensure_ascii=False, default=dict)


def from_json(text: str) -> Prior:
    """Read what `to_json` wrote.

    Raises
    ------
    UsageError
        If it is damaged.
    """
    from optimizer.samplers import Observation

    try:
        document = json.loads(text)
        return Prior(
            tuple(Observation(**values) for values in document["observations"]),
            tuple(
                (frozen.from_json(other["space"]), tuple(Observation(**values) for values in other["observations"]))
                for other in document["others"]
            ),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"the earlier songs stored with the run are damaged: {error}") from error


def read_prior(run: RunDirectory) -> Prior:
    """Read what a run's search begins with; nothing, for most.

    Raises
    ------
    UsageError
        If it is damaged.
    """
    path = run.folder / PRIOR_FILE
    return from_json(path.read_text(encoding="utf-8")) if path.is_file() else Prior()


def digest(prior: Prior) -> str:
    """Return the SHA-256 of what a search begins with."""
    return hashlib.sha256(to_json(prior).encode()).hexdigest()


def _songs(prior: Prior) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the songs in an order of their own."""

    def ordered(songs: Iterable[Observation]) -> list[str]:
        return sorted(json.dumps(asdict(song), default=dict, sort_keys=True) for song in songs)

    return ordered(prior.observations), sorted((space.digest, ordered(songs)) for space, songs in prior.others)


def seed_beside(prior: Prior, seed: int) -> int:
    """Return a study seed that is a function of the seed asked for and of the earlier songs.

    A take depends on study seed and trial number alone, so no song drawn with it is one of them; and two searches
    that begin with different songs share no takes either.
    """
    from optimizer.samplers import derive_seed

    return derive_seed(seed, "prior", digest(prior))


def _grid(space: SearchSpace) -> Grid:
    from optimizer.samplers import Grid

    return Grid(space.parameters(), space.subspaces() if space.several else None)

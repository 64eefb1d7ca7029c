"""Begin a search with the songs of earlier studies: which ones may be used, and how they are kept with the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from optimizer.errors import UsageError
from optimizer.estimates import observations_of, read_space
from optimizer.runs import RunDirectory
from optimizer.scoring.base import ScorerSpec
from optimizer.search_space import SearchSpace, frozen
from optimizer.song import Record

if TYPE_CHECKING:
    # As in `estimates`: it takes half a second to import.
    from optimizer.samplers import Grid, Model, Observation

DECLARED = "declared"
"""Key of an imported study's scorer table: the scorer its songs are said to have been judged by."""

SWEPT = 20
"""Earlier songs of a genre with which a search needs no sweep of its own: four times the sweep of one genre."""


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
    """

    observations: tuple[Observation, ...] = ()
    others: tuple[tuple[SearchSpace, tuple[Observation, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.observations or self.others)

    def covers(self, space: SearchSpace) -> bool:
        """Whether each genre of `space` has `SWEPT` songs or more: a sweep would teach little beside them."""
        if not self.observations:
            return False
        grid = _grid(space)
        songs = [0] * len(grid.blocks)
        for one in self.observations:
            place = grid.find({"genre": one.genre, **one.params})
            if place is not None:
                songs[place[0]] += 1
        return min(songs) >= SWEPT

    def model(self) -> Model | None:
        """Return the model's settings as the other genres suggest them; None where there are none."""
        if not self.others:
            return None
        from optimizer.samplers import learn

        return learn([(_grid(space), songs) for space, songs in self.others])


def gather(records: Sequence[Record], space: SearchSpace, scorer: ScorerSpec) -> Prior:
    """Sort the songs of earlier studies by what they can lend to a search of `space`.

    Raises
    ------
    UsageError
        If a study was judged by another scorer, naming the difference, or has no songs.
    """
    same: list[Observation] = []
    others: list[tuple[SearchSpace, tuple[Observation, ...]]] = []
    genres = {genre.id for genre in space.genres}
    for record in records:
        check_objective(record, scorer)
        if not record.songs:
            raise UsageError(f"study {record.name!r} has no songs yet.", next_step="Leave --prior out.")
        same += observations_of([song for song in record.songs if song.recipe.genre in genres], space, own=False)
        foreign = [song for song in record.songs if song.recipe.genre not in genres]
        if foreign:
            theirs = read_space(RunDirectory(record.folder))
            others.append((theirs, tuple(observations_of(foreign, theirs, own=False))))
    return Prior(tuple(same), tuple(others))


def check_objective(record: Record, scorer: ScorerSpec) -> None:
    """Refuse songs that were judged by another scorer.

    Raises
    ------
    UsageError
        Naming every difference.
    """
    theirs: Mapping[str, Any] = record.identity.get("scorer", {})
    if DECLARED in theirs:
        if theirs[DECLARED] == scorer.text:
            return
        raise UsageError(
            f"study {record.name!r} was judged by {theirs[DECLARED]!r}, this run by {scorer.text!r}: "
            "their scores cannot be compared.",
            next_step=f"Search with --scorer {theirs[DECLARED]}, or leave --prior out.",
        )
    ours = json.loads(json.dumps(_without_nothing(scorer.identity), default=str))
    differences = [
        f"  {name}: {record.name} has {theirs.get(name)}, this run {ours.get(name)}"
        for name in sorted({*theirs, *ours})
        if theirs.get(name) != ours.get(name)
    ]
    if differences:
        raise UsageError(
            f"study {record.name!r} was judged by another scorer, so its scores cannot be compared:\n"
            + "\n".join(differences),
            next_step="Search with the same --scorer, or leave --prior out.",
        )


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


def digest(prior: Prior) -> str:
    """Return the SHA-256 of what a search begins with."""
    return hashlib.sha256(to_json(prior).encode()).hexdigest()


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


def _without_nothing(value: Any) -> Any:
    # As TOML keeps it: without null.
    if isinstance(value, Mapping):
        return {str(key): _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nothing(item) for item in value if item is not None]
    return value

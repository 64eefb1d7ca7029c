"""Begin a search with the songs of earlier studies: which ones may be used, and how they are kept with the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from optimizer.errors import UsageError
from optimizer.estimates import observations_of
from optimizer.samplers import Observation
from optimizer.scoring.base import ScorerSpec
from optimizer.search_space import SearchSpace
from optimizer.song import Record

DECLARED = "declared"
"""Key of an imported study's scorer table: the scorer its songs are said to have been judged by."""


def observations(records: Sequence[Record], space: SearchSpace, scorer: ScorerSpec) -> tuple[Observation, ...]:
    """Return the songs of earlier studies as observations of this one's search space.

    Only songs of the same genres count: what styles, keys and tempi do in one genre misleads in another.

    Raises
    ------
    UsageError
        If a study was judged by another scorer, naming the difference, or has no song of these genres.
    """
    found: list[Observation] = []
    genres = {genre.id for genre in space.genres}
    for record in records:
        check_objective(record, scorer)
        songs = [song for song in record.songs if song.recipe.genre in genres]
        if not songs:
            there = ", ".join(sorted({song.recipe.genre for song in record.songs})) or "none"
            raise UsageError(
                f"study {record.name!r} has no songs of {', '.join(sorted(genres))}; its genres are: {there}.",
                next_step="Earlier songs help within their own genre only; leave --prior out.",
            )
        found += observations_of(songs, space, own=False)
    return tuple(found)


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


def to_json(prior: Sequence[Observation]) -> str:
    """Write observations, to be kept with the run: a proposal depends on them for good."""
    return json.dumps([asdict(one) for one in prior], ensure_ascii=False, default=dict)


def from_json(text: str) -> tuple[Observation, ...]:
    """Read what `to_json` wrote.

    Raises
    ------
    UsageError
        If it is damaged.
    """
    try:
        return tuple(Observation(**values) for values in json.loads(text))
    except (ValueError, TypeError) as error:
        raise UsageError(f"the earlier songs stored with the run are damaged: {error}") from error


def digest(prior: Sequence[Observation]) -> str:
    """Return the SHA-256 of observations."""
    return hashlib.sha256(to_json(prior).encode()).hexdigest()


def _without_nothing(value: Any) -> Any:
    # As TOML keeps it: without null.
    if isinstance(value, Mapping):
        return {str(key): _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nothing(item) for item in value if item is not None]
    return value

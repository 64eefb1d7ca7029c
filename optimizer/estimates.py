"""Put beside each raw score what it is expected to be worth: the posterior over a run's own songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optimizer.errors import SpaceError
from optimizer.prior import Prior, read_prior
from optimizer.runs import RunDirectory
from optimizer.search_space import SearchSpace
from optimizer.search_space.frozen import from_json
from optimizer.song import Record, Song

if TYPE_CHECKING:
    # With Optuna and SciPy half a second: nobody shall wait for them who only reads a space, or mistyped an option.
    from optimizer.samplers import Observation, Posterior

SPACE_FILE = "space.json"
"""The search space, as it was when the run was started."""


def read_space(run: RunDirectory) -> SearchSpace:
    """Read the search space stored with a run.

    Raises
    ------
    SpaceError
        If it is not there or damaged.
    """
    try:
        return from_json((run.folder / SPACE_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{run.folder / SPACE_FILE} cannot be read: {error}.") from error


def observations_of(songs: Sequence[Song], space: SearchSpace, *, own: bool = True) -> list[Observation]:
    """Return songs as the model takes them.

    Parameters
    ----------
    songs : sequence of Song
    space : SearchSpace
        Whose parameters the points are spelt in.
    own : bool
        False for songs of earlier studies, which have no trial number here.
    """
    from optimizer.samplers import Observation

    return [
        Observation(
            params=space.point(song.recipe),
            value=song.value,
            number=song.number if own else -1,
            plan=_plan(song, own),
            genre=song.recipe.genre,
            seconds=song.timings.get("render"),
        )
        for song in songs
    ]


def _plan(song: Song, own: bool) -> int | str | None:
    if song.plan is None:
        return None
    number = song.number if song.plan_of is None else song.plan_of
    # Trial numbers of another study mean nothing here.
    return number if own else f"{song.study}/{number}"


def posterior_of(songs: Sequence[Song], space: SearchSpace, prior: Prior | None = None) -> Posterior:
    """Return what the songs of a run, and those its search began with, say about the search space."""
    from optimizer.samplers import Posterior

    prior = prior or Prior()

    return Posterior.from_trials(
        observations_of(songs, space),
        space.parameters(),
        space.subspaces() if space.several else None,
        prior=prior.observations,
        model=prior.model(),
    )


def with_estimates(record: Record) -> Record:
    """Fill in each song's expected score and shrunken estimate; left out where the run has no stored space."""
    if not record.songs:
        return record
    run = RunDirectory(record.folder)
    try:
        space = read_space(run)
    except SpaceError:
        return record
    posterior = posterior_of(record.songs, space, read_prior(run))
    songs = tuple(
        replace(song, expected=posterior.expected(one.params), shrunken=posterior.shrunken(one))
        for song, one in zip(record.songs, observations_of(record.songs, space), strict=True)
    )
    return replace(record, songs=songs)

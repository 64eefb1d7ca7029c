"""Begin a search with the songs of earlier studies: which of them may be used, and for what."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizer.errors import UsageError
from optimizer.estimates import observations_of, read_space
from optimizer.prior import Prior
from optimizer.runs import RunDirectory
from optimizer.scoring.base import ScorerSpec
from optimizer.search_space import SearchSpace
from optimizer.search_space.space import fold, names_of
from optimizer.song import Record, Song

if TYPE_CHECKING:
    # As in `estimates`: it takes half a second to import.
    from optimizer.samplers import Observation

REASONS = 3
"""Reasons for leaving songs out that are spelt."""
DECLARED = "declared"
"""Key of an imported study's scorer table: the scorer its songs are said to have been judged by."""
SAME_LENGTH = 0.01
"""Share by which durations may differ: tables of imported songs give the length that a file turned out to have."""


def gather(
    records: Sequence[Record],
    space: SearchSpace,
    scorer: ScorerSpec,
    duration: float,
    notes: list[str],
    *,
    fitting: bool = True,
) -> Prior:
    """Sort the songs of earlier studies by what they can lend to a search of `space`.

    A song counts once, however many of the studies have it, and in whichever order they are given.

    Parameters
    ----------
    records : sequence of Record
    space : SearchSpace
    scorer : ScorerSpec
    duration : float
        Seconds of the songs to come.
    notes : list of str
        Gets what the user should know of it.
    fitting : bool
        Whether songs that are no point of `space` are left out; runs of older versions kept them.

    Raises
    ------
    UsageError
        If a study was judged by another scorer or has songs of another duration, naming the difference; if it has none,
        or none of all fits the search space.
    """
    same: list[Observation] = []
    others: list[tuple[SearchSpace, tuple[Observation, ...]]] = []
    genres = {genre.id for genre in space.genres}
    heard: set[str] = set()
    unfit = ""
    studies: Counter[str] = Counter()
    # The takes of the search are drawn with the digest of these songs: their order must not matter.
    for record in sorted(records, key=lambda one: (one.name, [song.recipe.digest for song in one.songs])):
        check_objective(record, scorer)
        if not record.songs:
            raise UsageError(f"study {record.name!r} has no songs yet.", next_step="Leave --prior out.")
        _check_duration(record, duration)
        songs = _unheard(record.songs, heard)
        if len(songs) < len(record.songs):
            known = f"{len(record.songs) - len(songs)} of {len(record.songs)} songs"
            notes.append(f"{known} of study {record.name!r} were given by another --prior already; they count once.")
        own = [song for song in songs if song.recipe.genre in genres]
        fits = [song for song in own if not (fitting and _misfit(song, space))]
        if len(fits) < len(own):
            unfit = _unfit(record.name, own, space)
            notes.append(unfit)
        if fits:
            notes.append(f"Beginning with {counted(len(fits))} of study {record.name!r}.")
            same += observations_of(fits, space, own=False)
        foreign = [song for song in songs if song.recipe.genre not in genres]
        if foreign:
            theirs = read_space(RunDirectory(record.folder))
            others.append((theirs, tuple(observations_of(foreign, theirs, own=False))))
            notes.append(_lent(record.name, foreign))
        studies[record.name] += len(fits) + len(foreign)
    if unfit and not (same or others):
        raise UsageError(unfit, next_step="Widen the search space with --space FILE, or leave --prior out.")
    return Prior(tuple(same), tuple(others), +studies)


def counted(songs: int, what: str = "song") -> str:
    """Spell a number of songs."""
    return f"{songs} {what}{'' if songs == 1 else 's'}"


def _misfit(song: Song, space: SearchSpace) -> str | None:
    """Return in what a song of this search's genres lies outside its space, None where it is one of its points."""
    recipe = song.recipe
    genre = next(genre for genre in space.genres if genre.id == recipe.genre)
    legal: dict[str, Collection[object]] = {
        "style": [style.id for style in genre.styles],
        "BPM": genre.bpm,
        "key": genre.keys,
        "language": [language.code for language in genre.languages],
    }
    own = {"style": recipe.style, "BPM": recipe.bpm, "key": recipe.key, "language": recipe.language}
    for name, value in own.items():
        if value not in legal[name]:
            return f"{name} {value}"
    # Published tables know a style by a short form of its caption; under another, its id means other music.
    if fold(recipe.caption) not in names_of(next(style for style in genre.styles if style.id == recipe.style)):
        return f"style {recipe.style} with the caption {_short(recipe.caption)!r}"
    return None


def _unfit(name: str, songs: Sequence[Song], space: SearchSpace) -> str:
    reasons = Counter(reason for song in songs if (reason := _misfit(song, space)) is not None)
    told = [f"{reason} ({counted(count)})" for reason, count in reasons.most_common(REASONS)]
    if len(reasons) > REASONS:
        told.append(f"and {len(reasons) - REASONS} more")
    return (
        f"{reasons.total()} of {counted(len(songs))} of study {name!r} are left out, "
        f"since search space {space.name!r} has no such recipe: {', '.join(told)}."
    )


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:45]}..."


def _unheard(songs: Iterable[Song], heard: set[str]) -> list[Song]:
    """Return the songs whose audio and recipe were not met before, and remember them."""
    found = []
    for song in songs:
        # An exported and imported song has other bytes, since tags are written into them, and the same recipe.
        marks = {song.sha256, song.recipe.digest} - {""}
        if not marks & heard:
            found.append(song)
        heard |= marks
    return found


def _lent(name: str, songs: Sequence[Song]) -> str:
    from optimizer.samplers.learn import LEAST

    genres = ", ".join(sorted({song.recipe.genre for song in songs}))
    what = f"{len(songs)} songs of study {name!r} are of another genre ({genres})"
    if len(songs) < LEAST:
        return f"{what}: nothing is learned from fewer than {LEAST}."
    return f"{what}: only the sizes of effects and the noise are learned from them."


def _check_duration(record: Record, duration: float) -> None:
    theirs = {song.recipe.duration for song in record.songs}
    if any(not math.isclose(one, duration, rel_tol=SAME_LENGTH) for one in theirs):
        spelt = f"{min(theirs):g}" if len(theirs) == 1 else f"{min(theirs):g} to {max(theirs):g}"
        raise UsageError(
            f"the songs of study {record.name!r} are {spelt} s long, this run's {duration:g} s: "
            "their scores cannot be compared.",
            next_step=f"Search with --duration {min(theirs):g}, or leave --prior out.",
        )


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


def _without_nothing(value: Any) -> Any:
    # As TOML keeps it: without null.
    if isinstance(value, Mapping):
        return {str(key): _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nothing(item) for item in value if item is not None]
    return value

"""Make a study of songs that were rendered and scored elsewhere, so that they can be read, compared and built upon."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from optimizer import __version__
from optimizer.errors import UsageError
from optimizer.estimates import SPACE_FILE
from optimizer.recipe import Recipe
from optimizer.runs import RunDirectory, write_atomic
from optimizer.search_space import Genre, Language, SearchSpace, Style, load_genre
from optimizer.search_space.frozen import to_json
from optimizer.song import Song
from optimizer.study import add_songs
from optimizer.warmstart import DECLARED


def make_study(run: RunDirectory, songs: Sequence[Song], *, scored_by: str, source: str) -> SearchSpace:
    """Write songs into a new run.

    Parameters
    ----------
    run : RunDirectory
        Must not exist yet.
    songs : sequence of Song
    scored_by : str
        The scorer they were judged by; a search may take them as prior if its own is of that name.
    source : str
        Where they come from, for people.

    Returns
    -------
    SearchSpace
        The genres' own spaces, widened by every value the songs have.

    Raises
    ------
    UsageError
        If the run exists, or there are no songs.
    """
    if run.exists():
        raise UsageError(f"run {run.folder.name!r} exists already.", next_step="Give another name with --study NAME.")
    if not songs:
        raise UsageError(f"{source} holds no song that could be read.")
    space = space_of([song.recipe for song in songs], run.folder.name)
    run.create()
    with run.lock():
        write_atomic(run.folder / SPACE_FILE, to_json(space).encode())
        add_songs(run, space, songs)
        # The identity last: with it the run exists, so an interrupted import leaves none behind.
        run.write_identity(
            {
                "study": run.folder.name,
                "program": __version__,
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "space": {"name": space.name, "digest": space.digest},
                "renderer": {"name": "imported", "revision": source, "duration": songs[0].recipe.duration},
                "scorer": {DECLARED: scored_by},
                "search": {"sampler": "none"},
                "options": {"scorer": scored_by},
            }
        )
    return space


def space_of(recipes: Sequence[Recipe], name: str) -> SearchSpace:
    """Return a search space that holds every recipe: the shipped genres where they are known, widened."""
    known = {genre.id: genre for genre in load_genre("all").genres}
    by_genre: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        by_genre.setdefault(recipe.genre, []).append(recipe)
    return SearchSpace(name, tuple(_widened(genre, own, known.get(genre)) for genre, own in by_genre.items()))


def _widened(name: str, recipes: Sequence[Recipe], known: Genre | None) -> Genre:
    styles = {style.id: style for style in (known.styles if known else ())}
    languages = {language.code: language for language in (known.languages if known else ())}
    for recipe in recipes:
        styles.setdefault(recipe.style, Style(recipe.style, recipe.caption, recipe.style))
        languages.setdefault(recipe.language, Language(recipe.language, recipe.lyrics or "[Instrumental]"))
    bpm = {*(known.bpm if known else ()), *(recipe.bpm for recipe in recipes)}
    keys = dict.fromkeys([*(known.keys if known else ()), *(recipe.key for recipe in recipes)])
    base = known or Genre(name, name, (), (), (), ())
    return replace(
        base,
        styles=tuple(styles.values()),
        bpm=tuple(sorted(bpm)),
        keys=tuple(keys),
        languages=tuple(languages.values()),
    )

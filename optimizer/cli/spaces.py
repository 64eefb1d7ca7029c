"""`optimize spaces`: the genres and their grids."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from optimizer.cli.options import Json, complete_genre, print_json, print_table
from optimizer.search_space import Genre, Range


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("spaces")(spaces)


def spaces(
    genre: Annotated[
        str | None, typer.Argument(metavar="[GENRE]", help="One genre, with captions.", autocompletion=complete_genre)
    ] = None,
    space: Annotated[Path | None, typer.Option(help="Check and show a file of your own.", metavar="FILE")] = None,
    json_: Json = False,
) -> None:
    """List the genres and their grids, or show one."""
    from optimizer.search_space import genre_names, load_file, load_genre

    if space is not None:
        genres = list(load_file(space).genres)
    elif genre is not None:
        genres = list(load_genre(genre).genres)
    else:
        genres = [load_genre(name).genres[0] for name in genre_names()]
    if json_:
        print_json([document(one) for one in genres])
    elif genre is None and space is None:
        rows = [
            [one.id, one.size, ", ".join(style.id for style in one.styles), tempi(one), ", ".join(one.keys), codes(one)]
            for one in genres
        ]
        print_table(["genre", "points", "styles", "BPM", "keys", "languages"], rows, right=(1,))
    else:
        for one in genres:
            print(f"{one.title}  ({one.id}, {one.size} points)")
            print(f"  BPM        {tempi(one)}\n  keys       {', '.join(one.keys)}\n  languages  {codes(one)}")
            for style in one.styles:
                print(f"\n  {style.id}: {style.title}\n    {style.caption}")
            print()


def tempi(genre: Genre) -> str:
    """Spell a genre's tempi."""
    bpm = genre.bpm
    if isinstance(bpm, Range):
        return f"{bpm.low} to {bpm.high}" + (f" in steps of {bpm.step}" if bpm.step > 1 else "")
    return " ".join(map(str, bpm))


def codes(genre: Genre) -> str:
    """Spell a genre's languages."""
    return " ".join(language.code for language in genre.languages)


def document(genre: Genre) -> dict[str, Any]:
    """Return a genre as it stands in the JSON document."""
    bpm = genre.bpm
    return {
        "genre": genre.id,
        "title": genre.title,
        "points": genre.size,
        "styles": [{"id": style.id, "title": style.title, "caption": style.caption} for style in genre.styles],
        "bpm": {"low": bpm.low, "high": bpm.high, "step": bpm.step} if isinstance(bpm, Range) else list(bpm),
        "keys": list(genre.keys),
        "languages": [language.code for language in genre.languages],
        "time_signature": genre.time_signature,
    }

"""A search space as it is stored with a run, so that a run goes on after its file has changed or gone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from optimizer.errors import SpaceError
from optimizer.search_space.space import Genre, Language, Range, SearchSpace, Style


def to_json(space: SearchSpace) -> str:
    """Write a search space as JSON, with all that its digest covers."""
    genres = []
    for genre in space.genres:
        values = asdict(genre)
        if isinstance(genre.bpm, Range):
            values["bpm"] = {"low": genre.bpm.low, "high": genre.bpm.high, "step": genre.bpm.step}
        genres.append(values)
    return json.dumps({"name": space.name, "genres": genres}, ensure_ascii=False, indent=1)


def from_json(text: str) -> SearchSpace:
    """Read what `to_json` wrote.

    Raises
    ------
    SpaceError
        If it is damaged.
    """
    try:
        raw = json.loads(text)
        return SearchSpace(str(raw["name"]), tuple(_genre(values) for values in raw["genres"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpaceError(
            f"the search space stored with the run is damaged: {error}",
            next_step="Restore space.json from a copy of the run, or start again with --study NAME.",
        ) from error


def _genre(values: dict[str, Any]) -> Genre:
    bpm = values["bpm"]
    return Genre(
        **{
            **values,
            "styles": tuple(Style(**{**style, "aliases": tuple(style["aliases"])}) for style in values["styles"]),
            "bpm": Range(**bpm) if isinstance(bpm, dict) else tuple(bpm),
            "keys": tuple(values["keys"]),
            "languages": tuple(Language(**language) for language in values["languages"]),
            "aliases": tuple(values["aliases"]),
        }
    )

"""A search space as it is stored with a run, so that a run goes on after its file has changed or gone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from optimizer.errors import SpaceError
from optimizer.search_space.space import Genre, Language, Range, SearchSpace, Style


def to_json(space: SearchSpace) -> str:
    """Write a search space as JSON, with a checksum of its content."""
    genres = []
    for genre in space.genres:
        values = asdict(genre)
        if isinstance(genre.bpm, Range):
            values["bpm"] = {"low": genre.bpm.low, "high": genre.bpm.high, "step": genre.bpm.step}
        genres.append(values)
    content = {"name": space.name, "genres": genres}
    return json.dumps({**content, "sha256": _checksum(content)}, ensure_ascii=False, indent=1)


def from_json(text: str) -> SearchSpace:
    """Read what `to_json` wrote.

    Raises
    ------
    SpaceError
        If it is damaged or was edited: what it holds was checked when the run began, and only then.
    """
    try:
        raw = json.loads(text)
        stated = raw.pop("sha256")
        if stated != _checksum(raw):
            raise ValueError(f"its content does not have the SHA-256 {stated!r} it was written with")
        return SearchSpace(raw["name"], tuple(_genre(values) for values in raw["genres"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpaceError(
            f"the search space stored with the run is damaged: {type(error).__name__}: {error}",
            next_step="Restore space.json from a copy of the run, or start again with --study NAME.",
        ) from error


def _checksum(content: dict[str, Any]) -> str:
    # ASCII, so that a lone surrogate in a damaged file is a wrong sum and not an encoding error.
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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

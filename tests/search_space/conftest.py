"""Fixtures for search spaces: a small grid, and a file to write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from optimizer.search_space import (
    Genre,
    Language,
    SearchSpace,
    Style,
)


@pytest.fixture
def write(tmp_path: Path):
    """Return a function that writes a search space file and gives its path."""

    def write(content: Mapping[str, Any] | str | bytes, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        text = tomli_w.dumps(content) if isinstance(content, Mapping) else content
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def grid() -> SearchSpace:
    """One genre of 3 styles, 3 BPMs, 2 keys and 2 languages: 36 points."""
    genre = Genre(
        id="jazz",
        title="Jazz",
        styles=tuple(Style(f"style-{letter}", f"caption {letter}", f"Style {letter}") for letter in "abc"),
        bpm=(90, 100, 120),
        keys=("C major", "A minor"),
        languages=(Language("en", "[Verse]\nla la la"), Language("unknown", "[Instrumental]")),
    )
    return SearchSpace("jazz", (genre,))

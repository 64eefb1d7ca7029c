"""Fixtures that several test files share: a small search space, and songs made up without rendering."""

from __future__ import annotations

import pytest

from optimizer.recipe import Recipe
from optimizer.search_space import Genre, Language, SearchSpace, Style
from optimizer.song import Song


@pytest.fixture
def small_space():
    """One genre of 3 styles, 3 BPMs, 2 keys and 2 languages: 36 points."""
    genre = Genre(
        id="test-genre",
        title="Test genre",
        styles=tuple(
            Style(f"style-{letter}", f"caption {letter}, drums and bass", f"Style {letter}") for letter in "abc"
        ),
        bpm=(90, 100, 120),
        keys=("C major", "A minor"),
        languages=(Language("en", "[Verse]\nla la la"), Language("unknown", "[Instrumental]")),
    )
    return SearchSpace("test-genre", (genre,))


@pytest.fixture
def make_recipe():
    """Return a function that makes a recipe, its fields changed as asked."""

    def make(**changes):
        fields = {
            "genre": "bhangra",
            "style": "dhol-party",
            "caption": "bright dhol and tumbi, party vocals",
            "bpm": 105,
            "key": "G major",
            "language": "pa",
            "lyrics": "[Verse]\nਨੱਚੋ",
            "seed": 7,
            "duration": 8.0,
        }
        return Recipe(**{**fields, **changes})

    return make


@pytest.fixture
def make_song(make_recipe):
    """Return a function that makes a song that was never rendered."""

    def make(number=0, value=3.0, recipe=None, **changes):
        fields = {
            "study": "bhangra",
            "number": number,
            "recipe": recipe or make_recipe(seed=number),
            "phase": "sweep",
            "value": value,
            "audio": None,
            "sha256": f"{number:064x}",
        }
        return Song(**{**fields, **changes})

    return make

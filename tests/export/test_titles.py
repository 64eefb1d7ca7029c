"""Titles: the same for the same recipe, each once in a study, whatever the genre."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.export.names import clean
from optimizer.export.titles import draw, titles
from optimizer.music import KEYS
from optimizer.recipe import BPM_RANGE, Recipe
from optimizer.song import Song

RECIPES = st.builds(
    Recipe,
    genre=st.text(min_size=1).filter(str.strip),
    style=st.just("s"),
    caption=st.just("c"),
    bpm=st.integers(*BPM_RANGE),
    key=st.sampled_from(KEYS),
    language=st.just("unknown"),
    lyrics=st.just(""),
    seed=st.integers(0, 20),
)


def songs_of(recipes, study="s"):
    return [Song(study, number, recipe, "sweep", 3.0, None, "") for number, recipe in enumerate(recipes)]


@given(st.lists(RECIPES, max_size=30))
def test_no_title_twice_in_a_study(recipes):
    named = titles(songs_of(recipes))
    assert len(set(named.values())) == len(recipes)


@given(RECIPES)
def test_every_genre_gets_a_clean_title(recipe):
    title = draw(recipe)
    assert title == clean(title)
    assert 2 <= len(title.split()) <= 5


@given(st.lists(RECIPES, min_size=1, max_size=12), st.randoms())
@settings(max_examples=30)
def test_titles_depend_neither_on_order_nor_on_later_songs(recipes, random):
    songs = songs_of(recipes)
    named = titles(songs)
    shuffled = random.sample(songs, len(songs))
    assert titles(shuffled) == named
    half = songs[: len(songs) // 2]
    assert titles(half).items() <= named.items()


def test_a_title_is_the_recipes(make_recipe):
    # Written out, because a title that changes between versions would make two songs of one.
    assert draw(make_recipe()) == "Silver City"
    assert draw(make_recipe()) != draw(make_recipe(seed=8))


def test_equal_recipes_get_different_titles(make_song, make_recipe):
    songs = [make_song(number, recipe=make_recipe()) for number in range(100)]
    assert len(set(titles(songs).values())) == 100


def test_studies_are_named_apart(make_song, make_recipe):
    first = make_song(0, recipe=make_recipe())
    named = titles([first, replace(first, study="other")])
    assert named["bhangra", 0] == named["other", 0]

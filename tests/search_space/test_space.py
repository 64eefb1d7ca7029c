"""Points, recipes and digests of search spaces with one genre or several."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import RecipeError, SpaceError
from optimizer.music import KEYS
from optimizer.recipe import LANGUAGES
from optimizer.search_space import (
    Genre,
    Language,
    Range,
    SearchSpace,
    Style,
    load_genres,
)

codes = st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=3, unique=True)
bpms = st.one_of(
    st.lists(st.integers(30, 300), min_size=1, max_size=4, unique=True).map(tuple),
    st.builds(
        lambda low, step, count: Range(low, low + step * count, step),
        st.integers(30, 99),
        st.integers(1, 9),
        st.integers(1, 9),
    ),
)


@st.composite
def genres(draw: st.DrawFn, genre_id: str) -> Genre:
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True))
    return Genre(
        id=genre_id,
        title=genre_id.title(),
        styles=tuple(Style(name, f"caption {genre_id} {name}", name.upper()) for name in names),
        bpm=draw(bpms),
        keys=tuple(draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))),
        languages=tuple(Language(code, f"[Verse]\n{genre_id} {code}") for code in draw(codes)),
        time_signature=draw(st.sampled_from("2346")),
    )


spaces = st.integers(1, 3).flatmap(
    lambda count: st.tuples(*(genres(f"genre-{index}") for index in range(count))).map(
        lambda made: SearchSpace("mine", made)
    )
)


@given(spaces, st.data())
def test_any_point_becomes_a_recipe_and_is_found_again(space: SearchSpace, data: st.DataObject) -> None:
    points = list(space.points())
    assert len(points) == space.size == len({tuple(point.items()) for point in points})
    point = data.draw(st.sampled_from(points))
    assert list(point) == list(space.parameters())
    assert space.contains(point)
    assert space.contains({**point, "seed": 3, "anything": object()})
    recipe = space.recipe({**point, "seed": 99}, seed=5, duration=12.5)
    assert space.point(recipe) == point
    assert (recipe.seed, recipe.duration, recipe.bpm, recipe.key) == (5, 12.5, point["bpm"], point["key"])
    genre = space.genre(recipe.genre)
    assert genre is not None
    assert recipe.caption == f"caption {genre.id} {recipe.style}"
    assert recipe.lyrics == f"[Verse]\n{genre.id} {recipe.language}"
    assert recipe.time_signature == genre.time_signature
    assert "/" not in recipe.style


@given(spaces)
def test_subspaces_spell_values_as_the_parameters_do(space: SearchSpace) -> None:
    parameters, subspaces = space.parameters(), space.subspaces()
    names = ["style", "bpm", "key", "language"]
    assert list(parameters) == (["genre", *names] if len(space.genres) > 1 else names)
    assert list(subspaces) == [genre.id for genre in space.genres]
    for name, choices in parameters.items():
        values = [value for sub in subspaces.values() for value in sub[name]]
        assert len(set(choices)) == len(choices)
        assert set(choices) == set(values)
        assert {isinstance(sub[name], Range) for sub in subspaces.values()} == {isinstance(choices, Range)}
        if name != "bpm" or len(space.genres) == 1:
            assert list(choices) == list(dict.fromkeys(values))
        else:
            assert list(choices) == sorted(choices)
    points = {tuple(point.items()) for point in space.points()}
    product = {
        tuple(zip(sub, values, strict=True))
        for sub in subspaces.values()
        for values in itertools.product(*sub.values())
    }
    assert points == product


@given(spaces, st.data())
def test_contains_agrees_with_the_list_of_points(space: SearchSpace, data: st.DataObject) -> None:
    anything = {
        name: data.draw(st.sampled_from([*choices, "elsewhere", 29]), label=name)
        for name, choices in space.parameters().items()
    }
    assert space.contains(anything) == (anything in list(space.points()))
    if not space.contains(anything):
        with pytest.raises(SpaceError, match="search space 'mine'"):
            space.recipe(anything, seed=1, duration=30)


def test_what_callers_get_is_theirs_to_change(grid: SearchSpace) -> None:
    grid.parameters().clear()
    grid.subspaces()["jazz"].clear()
    assert list(grid.parameters()) == ["style", "bpm", "key", "language"]
    assert grid.size == 36 == len(list(grid.points()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"style": "style-x"}, "style 'style-x'.*style-a, style-b"),
        ({"bpm": 91}, "bpm 91 .*90, 100, 120"),
        ({"key": "C minor"}, "key 'C minor'.*C major"),
        ({"language": "hi"}, "language 'hi'.*en, unknown"),
    ],
)
def test_a_point_elsewhere_is_refused_by_name(grid: SearchSpace, change: dict[str, Any], told: str) -> None:
    point = next(grid.points())
    with pytest.raises(SpaceError, match=told):
        grid.recipe({**point, **change}, seed=1, duration=30)


def test_an_incomplete_point_is_refused(grid: SearchSpace) -> None:
    point = next(grid.points())
    del point["key"]
    assert not grid.contains(point)
    with pytest.raises(SpaceError, match="lacks 'key'"):
        grid.recipe(point, seed=1, duration=30)


def test_a_point_of_another_genre_is_refused_by_name() -> None:
    space = load_genres(["edm", "rock"])
    mixed = {"genre": "edm", "style": "rock/grunge", "bpm": 122, "key": "A minor", "language": "unknown"}
    assert not space.contains(mixed)
    with pytest.raises(SpaceError, match=r"style 'rock/grunge'.*edm/prog-house"):
        space.recipe(mixed, seed=1, duration=30)
    with pytest.raises(SpaceError, match=r"genre 'bhangra'.*edm, rock"):
        space.recipe({**mixed, "genre": "bhangra"}, seed=1, duration=30)


@pytest.mark.parametrize(("seed", "duration"), [(-1, 30), (1, 0.0), (1, 601)])
def test_seed_and_duration_are_checked(grid: SearchSpace, seed: int, duration: float) -> None:
    with pytest.raises(RecipeError):
        grid.recipe(next(grid.points()), seed=seed, duration=duration)


@given(spaces)
def test_probes_cover_style_and_language_with_the_longest_text(space: SearchSpace) -> None:
    probes = space.probe_recipes(30)
    wanted = {(g.id, s.id, lang.code) for g in space.genres for s in g.styles for lang in g.languages}
    assert {(probe.genre, probe.style, probe.language) for probe in probes} == wanted
    assert len(probes) == len(wanted)
    for probe in probes:
        genre = space.genre(probe.genre)
        assert genre is not None
        assert len(str(probe.bpm)) == max(len(str(bpm)) for bpm in genre.bpm)
        assert len(probe.key) == max(map(len, genre.keys))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"title": "Other", "description": "Other", "aliases": ("other",)}, True),
        ({"id": "other"}, False),
        ({"bpm": (90, 100)}, False),
        ({"bpm": (100, 90, 120)}, False),
        ({"bpm": Range(90, 120, 10)}, False),
        ({"keys": ("C major",)}, False),
        ({"keys": ("A minor", "C major")}, False),
        ({"time_signature": "3"}, False),
        ({"languages": (Language("en", "[Verse]\nla la li"), Language("unknown", "[Instrumental]"))}, False),
        ({"languages": (Language("en", "[Verse]\nla la la"),)}, False),
    ],
)
def test_the_digest_sees_what_reaches_a_song(grid: SearchSpace, change: dict[str, Any], same: bool) -> None:
    twin = SearchSpace("other-name", (dataclasses.replace(grid.genres[0], **change),))
    assert (twin.digest == grid.digest) == same


@pytest.mark.parametrize(
    ("change", "same"), [({"title": "x", "aliases": ("x",)}, True), ({"caption": "x"}, False), ({"id": "x"}, False)]
)
def test_the_digest_sees_ids_and_captions_of_styles(grid: SearchSpace, change: dict[str, Any], same: bool) -> None:
    (genre,) = grid.genres
    styles = (dataclasses.replace(genre.styles[0], **change), *genre.styles[1:])
    assert (SearchSpace("twin", (dataclasses.replace(genre, styles=styles),)).digest == grid.digest) == same


def test_the_digest_is_stable(grid: SearchSpace) -> None:
    assert grid.digest == "0f2adcf99201a2c846adf013f445d199faec06afe823e6a265898edefda54f27"


@pytest.mark.parametrize("genres", [(), (1, 1)])
def test_a_space_has_different_genres(grid: SearchSpace, genres: tuple[int, ...]) -> None:
    with pytest.raises(SpaceError, match="each named once"):
        SearchSpace("none", grid.genres * len(genres))


def test_a_range_counts_its_ends() -> None:
    assert list(Range(90, 96)) == [90, 91, 92, 93, 94, 95, 96]
    ranged = Range(90, 96, 3)
    assert list(ranged) == [90, 93, 96]
    assert len(ranged) == 3
    assert 90 in ranged and 96 in ranged
    assert not any(value in ranged for value in (87, 91, 99, "90", None))


def test_a_range_stays_a_range_where_all_genres_have_the_same(grid: SearchSpace) -> None:
    def several(*bpm: tuple[int, ...] | Range) -> SearchSpace:
        genres = [dataclasses.replace(grid.genres[0], id=f"jazz-{index}", bpm=one) for index, one in enumerate(bpm)]
        return SearchSpace("several", tuple(genres))

    slow, fast = Range(60, 80, 10), Range(70, 90, 10)
    assert several(slow).parameters()["bpm"] == slow
    assert several(slow, slow).parameters()["bpm"] == slow
    assert several(slow, slow).subspaces()["jazz-1"]["bpm"] == slow
    assert several(fast, slow).parameters()["bpm"] == (60, 70, 80, 90)
    assert several(fast, (65, 60)).parameters()["bpm"] == (60, 65, 70, 80, 90)
    assert several(fast, slow).subspaces()["jazz-0"]["bpm"] == (70, 80, 90)
    with pytest.raises(SpaceError, match=r"bpm 65 .*60 to 80 in steps of 10"):
        several(slow).recipe({**next(several(slow).points()), "bpm": 65}, seed=1, duration=30)

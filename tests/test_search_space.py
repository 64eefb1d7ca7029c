"""Search spaces: the shipped grids, points and recipes, and what a bad file is told."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimizer.errors import RecipeError, SpaceError
from optimizer.music import KEYS
from optimizer.recipe import LANGUAGES
from optimizer.search_space import (
    ALL,
    GENRES,
    Genre,
    Language,
    Range,
    SearchSpace,
    Style,
    estimate_tokens,
    genre_names,
    load_file,
    load_genre,
    load_genres,
    slug,
    spaces_folder,
)
from optimizer.search_space.reader import _STYLE, _TOP

ROOT = Path(__file__).resolve().parents[1]

# A file that uses every key; each mistake below is one edit of it.
COMPLETE: dict[str, Any] = {
    "title": "Afrobeat",
    "description": "Horns and interlocking guitars.",
    "genre": "afro-beat",
    "aliases": ["Afro"],
    "bpm": [98, 104, 110],
    "keys": ["F minor", "C minor", "D# minor"],
    "languages": ["en", "unknown"],
    "time_signature": "4",
    "styles": [
        {"id": "horns", "caption": "Afrobeat band, baritone sax riffs, shekere", "aliases": ["classic afrobeat"]},
        {"id": "night-drive", "title": "Night drive", "caption": "Afro-fusion, log drum bass, soft keys"},
    ],
    "lyrics": {"en": "[Verse]\nMarket lights along the pier\n[Chorus]\nCarry the evening slow"},
}


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


def edited(path: str, value: Any) -> dict[str, Any]:
    """Return COMPLETE with one value replaced, or removed where `value` is None; `path` is dotted."""
    content = tomllib.loads(tomli_w.dumps(COMPLETE))
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node: Any = content
    for step in parents:
        node = node[step]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return content


# ---------------------------------------------------------------- reading


def test_a_complete_file_is_read_whole(write) -> None:
    space = load_file(write(COMPLETE, "My Own Säge.toml"))
    assert space.name == "my-own-sage"
    (genre,) = space.genres
    assert genre == Genre(
        id="afro-beat",
        title="Afrobeat",
        description="Horns and interlocking guitars.",
        aliases=("Afro",),
        bpm=(98, 104, 110),
        keys=("F minor", "C minor", "Eb minor"),
        time_signature="4",
        styles=(
            Style("horns", "Afrobeat band, baritone sax riffs, shekere", "Horns", ("classic afrobeat",)),
            Style("night-drive", "Afro-fusion, log drum bass, soft keys", "Night drive"),
        ),
        languages=(
            Language("en", "[Verse]\nMarket lights along the pier\n[Chorus]\nCarry the evening slow"),
            Language("unknown", "[Instrumental]"),
        ),
    )
    assert space.size == 2 * 3 * 3 * 2


@pytest.mark.parametrize("left_out", ["title", "description", "genre", "aliases", "time_signature", "styles.0.aliases"])
def test_optional_keys_may_be_left_out(write, left_out: str) -> None:
    genre = load_file(write(edited(left_out, None))).genres[0]
    assert genre.id == ("mine" if left_out == "genre" else "afro-beat")
    assert genre.title == ("Afro beat" if left_out == "title" else "Afrobeat")
    assert genre.time_signature == "4"


@pytest.mark.parametrize(
    "left_out", ["bpm", "keys", "languages", "styles", "lyrics.en", "styles.1.id", "styles.1.caption"]
)
def test_a_missing_key_is_named(write, left_out: str) -> None:
    path = write(edited(left_out, None))
    shown = re.sub(r"\.(\d+)", r"[\1]", left_out)
    with pytest.raises(SpaceError, match=rf"{re.escape(f'{path}: {shown} is missing')}"):
        load_file(path)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("bpm", [], ["bpm = []", "at least one"]),
        ("bpm", 120, ["bpm = 120", "{ low = 90"]),
        ("bpm", [98, 29], ["bpm[1] = 29", "30 to 300"]),
        ("bpm", [301], ["bpm[0] = 301", "30 to 300"]),
        ("bpm", [98.0], ["bpm[0] = 98.0", "whole number"]),
        ("bpm", [True], ["bpm[0] = True", "whole number"]),
        ("bpm", ["98"], ["bpm[0] = '98'", "whole number"]),
        ("bpm", [98, 104, 98], ["bpm[2] = 98", "different from bpm[0]"]),
        ("bpm", {"low": 90}, ["bpm.high is missing"]),
        ("bpm", {"low": 90, "hihg": 100}, ["bpm.hihg", "Did you mean 'high'?"]),
        ("bpm", {"low": 90, "high": 301}, ["bpm.high = 301", "30 to 300"]),
        ("bpm", {"low": 90, "high": 90}, ["bpm.high = 90", "low (90)"]),
        ("bpm", {"low": 90, "high": 100, "step": 3}, ["bpm.high = 100", "steps of 3"]),
        ("bpm", {"low": 90, "high": 100, "step": 0}, ["bpm.step = 0", "1 or more"]),
        ("bpm", {"low": 90, "high": 100, "step": 2.5}, ["bpm.step = 2.5", "1 or more"]),
        ("keys", [], ["keys = []", "at least one"]),
        ("keys", "C minor", ["keys = 'C minor'", "a list"]),
        ("keys", ["C minor", "H minor"], ["keys[1]", "'H minor'", "Eb minor"]),
        ("keys", [5], ["keys[0] = 5"]),
        ("keys", ["Eb minor", "C minor", "D# minor"], ["keys[2] = 'D# minor'", "different from keys[0]"]),
        ("languages", [], ["languages = []"]),
        ("languages", ["en", "punjabi"], ["languages[1] = 'punjabi'", "Did you mean 'pa'?"]),
        ("languages", ["EN"], ["languages[0] = 'EN'", "Did you mean 'en'?"]),
        ("languages", ["yuee"], ["Did you mean 'yue'?"]),
        ("languages", [1], ["languages[0] = 1"]),
        ("languages", ["en", "en"], ["languages[1] = 'en'", "different from languages[0]"]),
        ("languages", ["en", "hi"], ["lyrics.hi is missing"]),
        ("lyrics", "la la", ["lyrics = 'la la'", "table"]),
        ("lyrics.en", "  \n ", ["lyrics.en", "section tags"]),
        ("lyrics.en", 7, ["lyrics.en = 7"]),
        ("lyrics.en", "la " * 2000, ["lyrics.en", "4096"]),
        ("lyrics.en", "la\u0000la", ["lyrics.en", "U+0000"]),
        ("lyrics.eng", "la", ["lyrics.eng", "Did you mean 'en'?"]),
        ("lyrics.pa", "la", ["lyrics.pa", "en, unknown"]),
        ("styles", [], ["styles = []", "[[styles]]"]),
        ("styles", {"id": "horns"}, ["styles =", "[[styles]]"]),
        ("styles", ["horns"], ["styles[0] = 'horns'"]),
        ("styles.1.caption", "", ["styles[1].caption = ''"]),
        ("styles.1.caption", 5, ["styles[1].caption = 5"]),
        ("styles.1.caption", "x" * 513, ["styles[1].caption", "513", "512"]),
        ("styles.1.caption", "ਢੋਲ " * 40, ["styles[1].caption", "200 tokens", "BPM and key"]),
        ("styles.1.caption", "bell\u0007", ["styles[1].caption", "U+0007"]),
        ("styles.1.capton", "x", ["styles[1].capton", "Did you mean 'caption'?"]),
        ("styles.1.id", "Night Drive", ["styles[1].id = 'Night Drive'", "a-z and 0-9"]),
        ("styles.1.id", "../../etc", ["styles[1].id = '../../etc'"]),
        ("styles.1.id", "horns", ["styles[1] = 'horns'", "styles[0] answers to it"]),
        ("styles.1.id", "horns\n", ["styles[1].id"]),
        ("styles.1.aliases", ["Classic  AFROBEAT."], ["styles[1] = 'classic afrobeat'", "styles[0]"]),
        ("styles.1.aliases", [], ["styles[1].aliases = []"]),
        ("styles.1.title", 3, ["styles[1].title = 3"]),
        ("genre", "a/b", ["genre = 'a/b'"]),
        ("genre", "-a", ["genre = '-a'"]),
        ("genre", "", ["genre = ''"]),
        ("title", "", ["title = ''"]),
        ("aliases", ["x" * 1001], ["aliases[0]", "1000"]),
        ("time_signature", "5", ["time_signature = '5'", "'3'"]),
        ("time_signature", 4, ["time_signature = 4", "'4'"]),
        ("lnguages", ["en"], ["lnguages", "Did you mean 'languages'?"]),
        ("style", [], ["style is not a key", "Did you mean 'styles'?"]),
    ],
)
def test_a_bad_value_is_named_with_file_key_value_and_legal_form(write, path: str, value: Any, told: list[str]) -> None:
    file = write(edited(path, value))
    with pytest.raises(SpaceError) as caught:
        load_file(file)
    assert caught.value.exit_code == 2
    for part in (str(file), *told):
        assert part in str(caught.value)
    assert len(str(caught.value)) < 800


def test_a_bpm_range_is_read(write) -> None:
    genre = load_file(write(edited("bpm", {"low": 90, "high": 140, "step": 5}))).genres[0]
    assert genre.bpm == Range(90, 140, 5)
    assert list(genre.bpm) == [90, 95, 100, 105, 110, 115, 120, 125, 130, 135, 140]
    assert len(genre.bpm) == 11
    assert load_file(write(edited("bpm", {"low": 90, "high": 92}))).genres[0].bpm == Range(90, 92, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'bpm = [98]\nkeys = ["C minor"\nlanguages', "line 3"),
        (b"bpm = [98]\n[[styles]\n", "line 2"),
        (b"bpm = [98]\nbpm = [99]\n", "line 2"),
        (b"title = 'caf\xe9'\n", "line 1 is not UTF-8"),
        (b"# one\n# two\ntitle = '\xff'\n", "line 3 is not UTF-8"),
        ("title = 'x'".encode("utf-16"), "not UTF-8"),
        (b"bpm = " + b"[" * 5000, "not valid TOML"),
        (b"bpm = [" + b"9" * 5000 + b"]", "not valid TOML"),
        (b"#" * (1 << 20) + b"#", "larger than"),
        (b"", "bpm is missing"),
        (b"\x00", "not valid TOML"),
    ],
    ids=["list", "table", "twice", "latin-1", "line", "utf-16", "deep", "digits", "large", "empty", "nul"],
)
def test_a_file_that_is_not_toml_is_told_so(write, content: bytes, told: str) -> None:
    path = write(content)
    with pytest.raises(SpaceError) as caught:
        load_file(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_a_byte_order_mark_and_windows_lines_do_not_matter(write) -> None:
    plain = tomli_w.dumps(COMPLETE, multiline_strings=True)
    windows = load_file(write(b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode()))
    assert windows.digest == load_file(write(plain)).digest


def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(SpaceError, match="not a regular file"):
        load_file(tmp_path / "pipe.toml")


@pytest.mark.parametrize(
    ("name", "told"), [("absent.toml", "is not there"), ("", "is a folder"), ("nul\0.toml", "nul")]
)
def test_a_path_that_is_no_file_is_named(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SpaceError, match=told):
        load_file(tmp_path / name if name else tmp_path)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("bhangra", "bhangra"), ("My Songs (2)", "my-songs-2"), ("ਭੰਗੜਾ", "space"), ("a" * 90, "a" * 60), ("--", "space")],
)
def test_a_space_is_named_after_its_file(write, stem: str, name: str) -> None:
    assert load_file(write(edited("genre", None), f"{stem}.toml")).name == name


@given(st.text())
def test_slugs_are_safe_names(text: str) -> None:
    made = slug(text)
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", made)
    assert len(made) <= 60
    assert slug(made) == made


def test_two_unicode_spellings_of_a_text_are_one_space(write) -> None:
    # U+0958 and U+0915 U+093C are the same letter; the encoder cannot tell them apart either.
    single = load_file(write(edited("lyrics.en", "\u0958लम"), "one.toml"))
    double = load_file(write(edited("lyrics.en", "\u0915\u093cलम"), "two.toml"))
    assert single.digest == double.digest


# ---------------------------------------------------------------- any file at all

toml_values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**6), 10**6),
        st.floats(),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.sampled_from(["en", "pa", "C minor", "Cb major", "horns", "4", 98, 300, [], {}, {"low": 90, "high": 99}]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "low", "en", "x"]), inner)
    ),
    max_leaves=4,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """List every (container, key) in a document."""
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for key in keys for place in [(node, key), *places(node[key])]]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_of_a_file_is_read_or_refused(write, data: st.DataObject) -> None:
    content = tomllib.loads(tomli_w.dumps(COMPLETE))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(content)))
        act = data.draw(st.sampled_from(["set", "set", "remove", "double"]))
        if act == "remove":
            del container[key]
        elif act == "double" and isinstance(container, list):
            container.append(container[key])
        else:
            container[key] = copy.deepcopy(data.draw(toml_values))
        if not places(content):
            break
    path = write(content)
    try:
        space = load_file(path)
    except SpaceError as error:
        assert str(path) in str(error)
        return
    assert space.size == sum(1 for _ in space.points())
    for recipe in space.probe_recipes(30):
        assert space.contains(space.point(recipe))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**4), cut=st.integers(0, 30), put=st.binary(max_size=6))
def test_any_damage_to_the_bytes_is_read_or_refused(write, at: int, cut: int, put: bytes) -> None:
    content = tomli_w.dumps(COMPLETE).encode()
    at %= len(content)
    path = write(content[:at] + put + content[at + cut :])
    try:
        load_file(path)
    except SpaceError as error:
        assert str(path) in str(error)


# ---------------------------------------------------------------- points and recipes

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


@pytest.mark.parametrize(
    ("caption", "style"),
    [
        ("night-drive", "night-drive"),
        ("NIGHT  DRIVE", "night-drive"),
        ("Afro-fusion, log drum bass,\n soft keys.", "night-drive"),
        ("  classic Afrobeat ", "horns"),
        ("Horns", "horns"),
        ("", None),
        ("afrobeat", None),
        ("classic", None),
    ],
)
def test_styles_are_matched_by_everything_they_are_called(write, caption: str, style: str | None) -> None:
    found = load_file(write(COMPLETE)).genres[0].match_style(caption)
    assert (found.id if found else None) == style


# ---------------------------------------------------------------- the shipped files

# As published: BPMs and keys of each genre; four styles each.
GRIDS: dict[str, tuple[list[int], str]] = {
    "hip-hop": ([78, 85, 90, 95, 100], "C minor, Bb minor, D minor, E minor, Ab minor"),
    "pop": ([110, 118, 124, 128, 135], "C major, G major, D major, A major, F major"),
    "rnb": ([65, 72, 80, 88, 95], "Eb major, Ab major, Db major, Bb minor, F minor"),
    "latin": ([90, 95, 100, 105, 110], "A minor, D minor, E minor, G minor, C minor"),
    "bollywood": ([100, 110, 120, 130, 140], "C minor, D minor, A minor, E minor, G major"),
    "bhangra": ([95, 105, 115, 125, 135], "G major, D major, A major, C major, E minor"),
    "cpop": ([75, 90, 105, 120, 130], "C major, G major, F major, A minor, D minor"),
    "rock": ([120, 130, 140, 150, 160], "E minor, A minor, D minor, G minor, B minor"),
    "edm": ([122, 126, 130, 138, 150], "A minor, F minor, C minor, Eb minor, Bb minor"),
    "acoustic": ([85, 95, 105, 115, 125], "G major, C major, D major, A major, E major"),
    "bangers": ([126, 128, 130, 135, 138], "Eb minor, F minor, Bb minor, C minor, D minor"),
}

# Ids are written into every study and select the embedded engine's patterns; in the order of the published captions.
STYLES = {
    "hip-hop": "boom-bap dark-strings jazz-loop street-808",
    "pop": "summer-pop club-dance funk-pop festival-electro",
    "rnb": "late-night neo-soul trap-rnb slow-jam",
    "latin": "perreo latin-pop latin-trap dancehall",
    "bollywood": "festive-dance hindi-ballad club-glam hindi-indie",
    "bhangra": "dhol-party punjabi-trap traditional desi-club",
    "cpop": "piano-ballad idol-dance mandarin-rnb stadium-rock",
    "rock": "garage-indie grunge post-punk arena-blues",
    "edm": "prog-house deep-house melodic-techno future-bass",
    "acoustic": "campfire-folk indie-folk confessional country-folk",
    "bangers": "prog-house dhol-party desi-club festive-dance",
}
SUNG = {
    "hip-hop": "en", "pop": "en", "rnb": "en", "latin": "es", "bollywood": "hi", "bhangra": "pa hi en", "cpop": "zh",
    "rock": "en", "edm": "unknown", "acoustic": "en", "bangers": "pa hi unknown",
}  # fmt: skip

TAGS = {
    "[Verse 1]", "[Verse 2]", "[Verse 3]", "[Pre-Chorus]", "[Chorus]", "[Bridge]", "[Build]", "[Drop]", "[Guitar Solo]",
}  # fmt: skip


def shipped_lyrics() -> list[Any]:
    return [
        pytest.param(name, language, id=f"{name}-{language.code}")
        for name in GRIDS
        for language in load_genre(name).genres[0].languages
        if language.code != "unknown"
    ]


def sung_lines(lyrics: str) -> list[str]:
    return [line for line in lyrics.split("\n") if line and not line.startswith("[")]


def test_eleven_files_are_shipped() -> None:
    assert genre_names() == tuple(GRIDS) == (*GENRES, "bangers")


@pytest.mark.parametrize("name", GRIDS)
def test_the_published_grid(name: str) -> None:
    space = load_genre(name)
    (genre,) = space.genres
    bpm, keys = GRIDS[name]
    assert (space.name, genre.id) == (name, name)
    assert list(genre.bpm) == bpm
    assert ", ".join(genre.keys) == keys
    assert [style.id for style in genre.styles] == STYLES[name].split()
    assert [language.code for language in genre.languages] == SUNG[name].split()
    assert len(genre.styles) * len(genre.bpm) * len(genre.keys) == 100
    assert space.size == 100 * len(genre.languages)
    assert genre.title
    assert genre.description


def test_all_is_the_ten_genres_and_a_sweep_of_200_is_20_each() -> None:
    space = load_genre(ALL)
    assert space.name == "all"
    assert tuple(genre.id for genre in space.genres) == GENRES
    assert load_genres(GENRES) == space
    parameters = space.parameters()
    assert list(parameters) == ["genre", "style", "bpm", "key", "language"]
    assert parameters["genre"] == GENRES
    assert len(parameters["style"]) == 40
    assert parameters["style"][:2] == ("hip-hop/boom-bap", "hip-hop/dark-strings")
    assert set(parameters["bpm"]) == {bpm for name in GENRES for bpm in GRIDS[name][0]}
    assert all(len(list(itertools.islice(load_genre(name).points(), 20))) == 20 for name in GENRES)
    assert space.size == sum(load_genre(name).size for name in GENRES)


def test_several_genres_keep_the_order_asked_for() -> None:
    space = load_genres(["rock", "bangers", "edm"])
    assert space.name == "rock-bangers-edm"
    assert list(space.subspaces()) == ["rock", "bangers", "edm"]
    # Two genres may name a style alike; the study must not mix them up.
    assert {"bangers/prog-house", "edm/prog-house"} < set(space.parameters()["style"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [("bhangara", "Did you mean 'bhangra'?"), ("Hip Hop", "Did you mean 'hip-hop'?"), ("../edm", "Did you mean 'edm'?"),
     ("", "must be one of"), ("edm.toml", "Did you mean 'edm'?"), ("al", "Did you mean 'all'?")],
)  # fmt: skip
def test_an_unknown_genre_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(SpaceError, match=re.escape(hint)):
        load_genre(name)


@pytest.mark.parametrize("names", [[], ["edm", "edm"], ["edm", "all"]])
def test_several_genres_must_be_named_once_each(names: list[str]) -> None:
    with pytest.raises(SpaceError):
        load_genres(names)


@pytest.mark.parametrize("name", GRIDS)
def test_captions_are_rich_and_short_enough(name: str) -> None:
    for style in load_genre(name).genres[0].styles:
        assert 25 <= len(style.caption.split()) <= 45, style.caption
        assert style.caption.isascii()
        assert estimate_tokens(style.caption) <= 100
        # Tempo and key have fields of their own and change from point to point.
        assert not re.search(r"\b(bpm|tempo|\d{2,3} ?bpm|[A-G](b|#)? (major|minor))\b", style.caption)
        if name == "edm":
            assert "instrumental" in style.caption


def test_no_caption_of_a_genre_searched_in_several_languages_names_one() -> None:
    for name in GRIDS:
        genre = load_genre(name).genres[0]
        if len(genre.languages) > 1:
            for style in genre.styles:
                assert not re.search(r"(punjabi|hindi|english) (vocal|lead|voice|rap|lyric)", style.caption.lower())


@pytest.mark.parametrize(
    ("genre", "caption", "style"),
    [
        ("Hip Hop", "boom bap, vinyl and piano", "boom-bap"),
        ("Hip Hop", "raw 808 street rap", "street-808"),
        ("Pop/Dance", "Sunny funk-pop", "funk-pop"),
        ("R&B/Soul", "candlelit slow jam", "slow-jam"),
        ("Latin/Reggaeton", "tropical dancehall reggaeton", "dancehall"),
        ("Bollywood", "glam club item number", "club-glam"),
        ("Punjabi/Bhangra", "electronic desi club pop", "desi-club"),
        ("Punjabi/Bhangra", "traditional wedding bhangra", "traditional"),
        ("C-Pop", "smooth Chinese RnB", "mandarin-rnb"),
        ("Rock/Alt", "quiet-loud grunge alt", "grunge"),
        ("EDM", "colourful future bass", "future-bass"),
        ("Acoustic/Folk", "fiddle country folk", "country-folk"),
    ],
)
def test_songs_of_the_published_sweep_find_their_style(genre: str, caption: str, style: str) -> None:
    found = load_genre(ALL).genre(genre)
    assert found is not None
    match = found.match_style(caption)
    assert match is not None
    assert match.id == style


def test_genres_of_all_answer_to_different_names() -> None:
    genres = load_genre(ALL).genres
    for genre in genres:
        for name in (genre.id, genre.title, *genre.aliases):
            assert [other.id for other in genres if other.matches(name)] == [genre.id]


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_lyrics_are_written_in_the_script_of_their_language(name: str, language: Language) -> None:
    blocks = {
        "en": [("A", "Z"), ("a", "z")],
        "es": [("A", "Z"), ("a", "z"), *((c, c) for c in "áéíóúüñÁÉÍÓÚÑ")],
        "pa": [("\u0a01", "\u0a75")],
        "hi": [("\u0901", "\u0963")],
        "zh": [("\u4e00", "\u9fff")],
    }[language.code]
    marks = {"en": " ,.'?!-()", "es": " ,.:;«»¡!¿?()", "pa": " ,()", "hi": " ,()", "zh": "\uff0c"}[language.code]
    for line in sung_lines(language.lyrics):
        strange = [
            character
            for character in line
            if character not in marks and not any(a <= character <= z for a, z in blocks)
        ]
        assert not strange, (line, [f"U+{ord(character):04X}" for character in strange])


def test_chinese_lyrics_are_simplified() -> None:
    # Traditional forms of characters that are common in songs.
    traditional = set("來時個們說話開關門車見聽風愛夢燈覺誰讓還過樣雲間臉寫給遠邊節樂聲歡離難記憶戀綠紅藍")
    for language in load_genre("cpop").genres[0].languages:
        assert not traditional & set(language.lyrics)


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_indic_signs_follow_a_letter_of_their_own(name: str, language: Language) -> None:
    """A vowel sign or nukta at the start of a word, or two vowel signs in a row, is a typing slip."""
    if language.code not in ("pa", "hi"):
        return
    signs = "\u093e-\u094c\u0a3e-\u0a4c"
    for line in sung_lines(language.lyrics):
        assert not re.search(rf"(?:^|[\s(,])[{signs}\u093c\u0a3c\u094d\u0a4d\u0a70\u0a71]", line), line
        assert not re.search(rf"[{signs}][{signs}]", line), line
        assert not re.search(r"[\u094d\u0a4d](?:$|[\s),])", line), line


@pytest.mark.parametrize(("name", "language"), shipped_lyrics())
def test_lyrics_can_be_sung(name: str, language: Language) -> None:
    lyrics = language.lyrics
    tags = [line for line in lyrics.split("\n") if line.startswith("[")]
    assert set(tags) <= TAGS
    assert tags[0] == "[Verse 1]"
    assert "[Chorus]" in tags[:3]
    assert tags.count("[Chorus]") >= 2
    lines = sung_lines(lyrics)
    assert 22 <= len(lines) <= 40
    assert max(map(len, lines)) <= 50
    for line in lines:
        assert 4 <= syllables(line, language.code) <= 12, line


def syllables(line: str, code: str) -> int:
    """Count syllables roughly: vowels where the script writes them, one per Han character."""
    if code == "zh":
        return len(re.findall(r"[\u4e00-\u9fff]", line))
    if code == "hi":
        # Independent vowels and consonants carry one each, less those joined by a virama; final schwas fall silent.
        carriers = re.findall(r"[\u0904-\u0914]|[\u0915-\u0939]\u093c?(?!\u094d)", line)
        silent = re.findall(r"[\u0915-\u0939]\u093c?(?=$|[\s,)])", line)
        return len(carriers) - len([mark for mark in silent if len(line.split()) > 1])
    if code == "pa":
        carriers = re.findall(r"[\u0a05-\u0a14]|[\u0a15-\u0a39]\u0a3c?(?!\u0a4d)", line)
        silent = re.findall(r"[\u0a15-\u0a39]\u0a3c?(?=$|[\s,)])", line)
        return len(carriers) - len(silent)
    words = re.findall(r"[a-záéíóúüñ']+", line.lower())
    return sum(max(1, len(re.findall(r"[aeiouyáéíóúü]+", re.sub(r"(?<=[a-z]{2})e\b", "", word)))) for word in words)


def test_no_two_genres_share_a_caption_or_words() -> None:
    captions = [style.caption for name in GRIDS for style in load_genre(name).genres[0].styles]
    words = [param.values[1].lyrics for param in shipped_lyrics()]
    assert len(set(captions)) == 44
    assert len(set(words)) == len(words) == 13


# ---------------------------------------------------------------- where they are found


def lay_out(site: Path, *, spaces: Path | None) -> None:
    package = site / "optimizer"
    shutil.copytree(
        ROOT / "optimizer" / "search_space", package / "search_space", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("__init__.py", "errors.py", "music.py", "recipe.py"):
        shutil.copy(ROOT / "optimizer" / name, package / name)
    if spaces is not None:
        shutil.copytree(spaces_folder(), spaces)


def ask(site: Path, code: str) -> str:
    """Run `code` in a fresh interpreter that finds the package at `site` and works elsewhere."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"]
    done = subprocess.run(
        command, cwd=site.parent, capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    return (done.stdout + done.stderr).strip()


WHERE = "from optimizer.search_space import *; print(load_genre('all').size, spaces_folder())"


def test_a_wheel_finds_its_own_files_and_not_a_neighbours(tmp_path: Path) -> None:
    site = tmp_path / "site"
    lay_out(site, spaces=site / "optimizer" / "search_spaces")
    (site / "search_spaces").mkdir()
    assert ask(site, WHERE) == f"{load_genre(ALL).size} {site / 'optimizer' / 'search_spaces'}"


def test_a_checkout_finds_the_folder_beside_the_package(tmp_path: Path) -> None:
    site = tmp_path / "checkout"
    lay_out(site, spaces=site / "search_spaces")
    assert ask(site, WHERE) == f"{load_genre(ALL).size} {site / 'search_spaces'}"


def test_a_broken_installation_says_how_to_mend_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    lay_out(site, spaces=None)
    answer = ask(site, WHERE)
    assert "SpaceError" in answer
    assert "pip install --force-reinstall banger-optimizer" in answer


def test_reading_spaces_imports_nothing_heavy() -> None:
    code = (
        "import optimizer.search_space, sys\n"
        "print(sorted({'numpy', 'optuna', 'torch', 'pandas', 'scipy', 'typer', 'rich', 'librosa'} & set(sys.modules)))"
    )
    assert ask(ROOT, code) == "[]"


# ---------------------------------------------------------------- the page for users


def test_the_example_in_the_documentation_loads(write) -> None:
    page = (ROOT / "docs" / "search-spaces.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    space = load_file(write(example, "afrobeat.toml"))
    assert space.name == "afrobeat"
    assert space.size == 24
    assert "here 2 x 3 x 2 x 2 = 24" in page
    assert space.genres[0].styles[0].title == "Horn groove"


def test_the_documentation_names_every_key_and_no_other() -> None:
    page = (ROOT / "docs" / "search-spaces.md").read_text(encoding="utf-8")
    top, style = (
        set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) for section in page.split("## Keys of a style")
    )
    assert top == set(_TOP)
    assert style == set(_STYLE)

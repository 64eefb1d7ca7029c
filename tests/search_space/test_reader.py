"""Reading a search space file: what it becomes, and what a bad one is told."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimizer.errors import SpaceError
from optimizer.search_space import (
    Genre,
    Language,
    Range,
    Style,
    estimate_tokens,
    load_file,
    slug,
)
from optimizer.search_space.reader import _STYLE, _TOP

ROOT = Path(__file__).resolve().parents[2]

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
        ("styles.1.caption", "x " * 201, ["styles[1].caption", "may need 201"]),
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


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("bpm", [30, 300]),
        ("bpm", {"low": 30, "high": 300}),
        ("bpm", {"low": 91, "high": 101, "step": 10}),
        ("styles.1.caption", "abc" * 170 + "de"),
        ("styles.1.caption", "x " * 200),
        ("styles.1.id", "x" * 60),
        ("title", "x" * 1000),
        ("lyrics.en", "x" * 4096),
    ],
)
def test_the_ends_of_every_range_are_legal(write, path: str, value: Any) -> None:
    assert load_file(write(edited(path, value))).size > 0


@pytest.mark.parametrize("value", ["x" * 61, "a--b", "a-", "A", "a_b", "é"])
def test_what_is_no_slug_is_refused(write, value: str) -> None:
    with pytest.raises(SpaceError, match=r"styles\[1\]\.id"):
        load_file(write(edited("styles.1.id", value)))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n", 0),
        ("dub", 1),
        ("drum", 2),
        ("deep house, 808s", 2 + 2 + 1 + 3 + 1),
        ("雨停", 4),
        ("ロック", 6),
        ("\u3000", 0),
        ("ਢੋਲ", 9),
        ("é", 2),
        ("\u9fff\ua000", 2 + 3),
    ],
)
def test_tokens_are_estimated_from_above(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


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


def test_a_file_of_one_mebibyte_is_read(write) -> None:
    content = tomli_w.dumps(COMPLETE).encode()
    assert load_file(write(content + b"#" * ((1 << 20) - len(content)))).size == 36


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

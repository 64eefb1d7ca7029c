"""Text that leaves: nothing that a format, a file system or a terminal could choke on, and nothing more is lost."""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.export.names import NAME_BYTES, clean, clean_lines, file_stem

ANY_TEXT = st.text(alphabet=st.characters())
"""Lone surrogates and control characters included."""


@pytest.mark.parametrize("text", ["ਨੱਚੋ ਮੁੰਡਿਓ", "Ünïcode", "夜の街 🎵", "क्‍ष", "Rock & Roll", "1/2"])
def test_letters_of_every_script_stay(text):
    assert clean(text) == text


def test_what_no_format_holds_goes():
    assert clean("a\x00b\x1b[31m\u202ec\ud800\ufffe\x85d") == "ab[31mcd"


def test_white_space_becomes_one_space():
    assert clean("  a\t\tb\r\nc ") == "a b c"


def test_lines_stay_where_they_are_wanted():
    assert clean_lines("[Verse]\r\none \ntwo\x00") == "[Verse]\none\ntwo"


@given(ANY_TEXT)
def test_cleaned_text_survives_xml_and_utf8(text):
    cleaned = clean(text)
    element = ElementTree.Element("a", {"b": cleaned})
    element.text = cleaned
    parsed = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert (parsed.text or "") == cleaned == parsed.get("b")
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("../../etc/passwd", "etc passwd"),
        ("..", "song"),
        ("", "song"),
        ("a/b\\c:d", "a b c d"),
        ('He said "no"?', "He said no"),
        ("100% #1", "100 1"),
        ("trailing. . ", "trailing"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com¹", "_com¹"),
        ("Con Brio", "Con Brio"),
        ("ਨੱਚੋ", "ਨੱਚੋ"),
    ],
)
def test_file_names_are_safe_everywhere(text, stem):
    assert file_stem(text) == stem


@given(ANY_TEXT)
def test_no_text_makes_a_path(text):
    stem = file_stem(text)
    assert stem and len(stem.encode()) <= NAME_BYTES + 1
    assert not set(stem) & set('<>:"/\\|?*')
    assert stem not in (".", "..") and stem[0] not in ". " and stem[-1] not in ". "
    assert all(unicodedata.category(character) not in ("Cc", "Cs") for character in stem)


def test_a_long_name_is_cut_between_characters():
    assert file_stem("ਨ" * 200) == "ਨ" * (NAME_BYTES // 3)

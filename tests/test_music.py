"""Keys, the Camelot wheel and tempo relations, against tables written down by hand."""

from __future__ import annotations

import contextlib
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import RecipeError
from optimizer.music import (
    KEYS,
    TONICS,
    Key,
    camelot_distance,
    canonical_key,
    parse_key,
    tempo_distance,
)

# The wheel as printed by DJ software, hour by hour: minor (A) and its relative major (B).
WHEEL = {
    1: ("Ab minor", "B major"),
    2: ("Eb minor", "F# major"),
    3: ("Bb minor", "Db major"),
    4: ("F minor", "Ab major"),
    5: ("C minor", "Eb major"),
    6: ("G minor", "Bb major"),
    7: ("D minor", "F major"),
    8: ("A minor", "C major"),
    9: ("E minor", "G major"),
    10: ("B minor", "D major"),
    11: ("F# minor", "A major"),
    12: ("Db minor", "E major"),
}

# Semitones above C of every spelling ACE-Step takes, written out rather than computed.
PITCH_CLASSES = {
    "C": 0, "C#": 1, "Cb": 11, "D": 2, "D#": 3, "Db": 1, "E": 4, "E#": 5, "Eb": 3, "F": 5, "F#": 6, "Fb": 4,
    "G": 7, "G#": 8, "Gb": 6, "A": 9, "A#": 10, "Ab": 8, "B": 11, "B#": 0, "Bb": 10,
}  # fmt: skip
SPELLINGS = [
    (f"{letter}{accidental} {mode}", PITCH_CLASSES[letter + {"♯": "#", "♭": "b"}.get(accidental, accidental)], mode)
    for letter in "ABCDEFG"
    for accidental in ("", "#", "b", "♯", "♭")
    for mode in ("major", "minor")
]
keys = st.sampled_from(KEYS)
tempi = st.floats(30, 300)


def test_there_are_24_canonical_keys() -> None:
    assert len(set(KEYS)) == 24
    assert len(set(TONICS)) == 12
    assert KEYS[0] == "C major"


def test_all_seventy_spellings_are_read() -> None:
    assert len({text for text, _, _ in SPELLINGS}) == 70
    for text, pitch_class, mode in SPELLINGS:
        assert parse_key(text) == Key(pitch_class, mode)
        assert canonical_key(text) in KEYS
        assert parse_key(canonical_key(text)) == parse_key(text)


@given(st.sampled_from(SPELLINGS), st.sampled_from([" ", "  ", "\t"]), st.booleans(), st.booleans())
def test_case_and_spaces_do_not_count(spelling: tuple[str, int, str], gap: str, shout: bool, whisper: bool) -> None:
    tonic, mode = spelling[0].split()
    mode = mode.upper() if shout else mode.capitalize()
    tonic = tonic[0].lower() + tonic[1:] if whisper else tonic
    assert canonical_key(f" {tonic}{gap}{mode}\n") == canonical_key(spelling[0])


@given(keys)
def test_canonical_spelling_is_a_fixed_point(key: str) -> None:
    assert canonical_key(key) == key
    assert str(parse_key(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C",
        "minor",
        "H minor",
        "C## major",
        "Cmin",
        "C min",
        "C dorian",
        "Eb  flat minor",
        "8A",
        "c♮ major",
        "ß minor",
    ],
)
def test_what_is_not_a_key_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_key(text)
    assert repr(text) in str(caught.value)
    assert "Eb minor" in str(caught.value)


@given(st.text(max_size=12))
def test_any_text_is_a_key_or_a_recipe_error(text: str) -> None:
    with contextlib.suppress(RecipeError):
        assert canonical_key(text) in KEYS


def test_camelot_codes_are_those_of_the_printed_wheel() -> None:
    printed = {key: f"{hour}{letter}" for hour, pair in WHEEL.items() for letter, key in zip("AB", pair, strict=True)}
    assert {key: parse_key(key).camelot for key in KEYS} == printed


def test_camelot_distance_is_the_shortest_walk_on_the_printed_wheel() -> None:
    place = {key: (hour, letter) for hour, pair in WHEEL.items() for letter, key in enumerate(pair)}
    for first, second in itertools.product(KEYS, repeat=2):
        (hour, letter), (other_hour, other_letter) = place[first], place[second]
        # Walk clockwise and counter-clockwise, one hour at a time.
        clockwise = next(steps for steps in range(12) if (hour - 1 + steps) % 12 + 1 == other_hour)
        counter = next(steps for steps in range(12) if (hour - 1 - steps) % 12 + 1 == other_hour)
        assert camelot_distance(first, second) == min(clockwise, counter) + (letter != other_letter)


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [
        ("C major", "C major", 0),
        ("C major", "A minor", 1),
        ("C major", "G major", 1),
        ("Ab minor", "Db minor", 1),
        ("D# minor", "Eb minor", 0),
        ("C major", "C minor", 4),
        ("C major", "F# major", 6),
        ("C major", "Eb minor", 7),
    ],
)
def test_camelot_distance_by_hand(first: str, second: str, steps: int) -> None:
    assert camelot_distance(first, second) == steps


@given(keys, keys, keys)
def test_camelot_distance_is_a_metric(first: str, second: str, third: str) -> None:
    assert (camelot_distance(first, second) == 0) == (first == second)
    assert camelot_distance(first, second) == camelot_distance(second, first)
    assert camelot_distance(first, third) <= camelot_distance(first, second) + camelot_distance(second, third)


@pytest.mark.parametrize(
    ("first", "second", "octaves"),
    [
        (120, 120, 0.0),
        (60, 120, 0.0),
        (140, 70, 0.0),
        (120, 30, 0.0),
        (100, 150, math.log2(4 / 3)),
        (100, 110, math.log2(1.1)),
    ],
)
def test_tempo_distance_by_hand(first: float, second: float, octaves: float) -> None:
    assert tempo_distance(first, second) == pytest.approx(octaves, abs=1e-12)


@given(tempi, tempi, st.integers(-3, 3))
def test_tempo_distance_ignores_octaves_and_order(first: float, second: float, octaves: int) -> None:
    distance = tempo_distance(first, second)
    assert 0 <= distance <= 0.5
    assert tempo_distance(second, first) == pytest.approx(distance, abs=1e-9)
    assert tempo_distance(first * 2.0**octaves, second) == pytest.approx(distance, abs=1e-9)

"""Selection: ranked, without repeats, diverse when asked, and the same for the same songs whatever their order."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.recipe import Recipe
from optimizer.selection import (
    FEW,
    RANKINGS,
    best,
    duplicate_cosine,
    mean_distance,
    place,
    pool,
    standardise,
    vendi,
    worth,
)
from optimizer.song import Record, Song


def song_of(number, value=3.0, study="s", **changes):
    recipe = {"genre": "g", "style": f"style-{number}", "bpm": 120, "key": "C major", "seed": number} | changes
    return Song(
        study, number, Recipe(caption="c", language="en", lyrics="", **recipe), "sweep", value, None, f"{study}{number}"
    )


def numbers(selection):
    return [song.number for song in selection.songs]


VALUES = st.lists(st.floats(0, 10), min_size=1, max_size=12)


@st.composite
def pools(draw):
    """Songs of few styles and keys, with embeddings."""
    songs = [
        song_of(
            number,
            value,
            style=f"style-{draw(st.integers(0, 3))}",
            key=draw(st.sampled_from(["C major", "A minor"])),
            bpm=draw(st.sampled_from([100, 120])),
        )
        for number, value in enumerate(draw(VALUES))
    ]
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    return songs, {song.number: generator.normal(size=5) for song in songs}


@given(pools(), st.integers(1, 6), st.floats(0, 1), st.integers(1, 3), st.randoms())
def test_the_rules_hold_for_every_pool(given_pool, top, diversity, cap, shuffler):
    songs, embeddings = given_pool
    options = {"top": top, "diversity": diversity, "max_per_style": cap, "max_per_key": cap, "embeddings": embeddings}
    chosen = best(songs, **options)
    picked = chosen.songs
    assert len(set(numbers(chosen))) == len(picked) <= top
    assert len({song.recipe.combo for song in picked}) == len(picked)
    for attribute in ("style", "key"):
        values = [getattr(song.recipe, attribute) for song in picked]
        assert all(values.count(value) <= cap for value in values)
    assert picked[0].value == max(song.value for song in songs)
    assert len(chosen.plain) == min(top, len(songs))
    assert chosen.spread.vendi is not None and 1 - 1e-9 <= chosen.spread.vendi <= len(picked) + 1e-9
    if chosen.threshold is not None:
        vectors = dict(zip(embeddings, standardise(np.array(list(embeddings.values()))), strict=True))
        units = np.array([vectors[song.number] / np.linalg.norm(vectors[song.number]) for song in picked])
        assert np.all(np.triu(units @ units.T, 1) <= chosen.threshold + 1e-9)
    # The same songs give the same selection in any order, and nobody is left out who was not named.
    assert best(shuffler.sample(songs, len(songs)), **options) == chosen
    if len(picked) < top:
        named = {*numbers(chosen), *(out.song.number for out in chosen.left_out)}
        assert named == {song.number for song in songs}


@given(VALUES)
def test_without_diversity_it_is_the_ranking(values):
    songs = [song_of(number, value) for number, value in enumerate(values)]
    ranking = sorted(songs, key=lambda song: (-song.value, song.number))
    chosen = best(songs, top=5)
    assert list(chosen.songs) == ranking[:5] == list(chosen.plain)
    assert chosen.price == 0.0 and chosen.spread.vendi is None and chosen.threshold is None


def test_ties_go_to_the_earlier_study_and_trial():
    songs = [song_of(1, study="b"), song_of(2, study="a"), song_of(0, study="b", style="x")]
    assert [(song.study, song.number) for song in best(songs, top=3).songs] == [("a", 2), ("b", 0), ("b", 1)]


def test_two_takes_of_one_recipe_are_one_song():
    songs = [song_of(0, 4.0, style="x"), song_of(1, 3.9, style="x"), song_of(2, 3.0)]
    chosen = best(songs, top=2)
    assert numbers(chosen) == [0, 2]
    (out,) = chosen.left_out
    assert (out.song.number, out.reason, out.of.number) == (1, "take", 0)
    assert chosen.price == pytest.approx((4.0 + 3.9) / 2 - (4.0 + 3.0) / 2)


def test_the_same_file_is_one_song_even_without_embeddings():
    songs = [song_of(0, 4.0), replace(song_of(1, 3.9), sha256="s0"), song_of(2, 3.0)]
    chosen = best(songs, top=2)
    assert numbers(chosen) == [0, 2] and chosen.left_out[0].reason == "duplicate"
    unhashed = [replace(song, sha256="") for song in songs]
    assert numbers(best(unhashed, top=2)) == [0, 1]


def vectors_of(count, seed=0, width=16):
    return dict(enumerate(np.random.default_rng(seed).normal(size=(count, width))))


def test_what_sounds_the_same_is_one_song():
    songs = [song_of(number, 5 - number / 20) for number in range(20)]
    embeddings = vectors_of(20)
    embeddings[2] = embeddings[1] + 0.05 * embeddings[3]
    chosen = best(songs, top=3, embeddings=embeddings)
    assert numbers(chosen) == [0, 1, 3]
    (out,) = chosen.left_out
    assert (out.song.number, out.reason, out.of.number) == (2, "duplicate", 1)
    assert 0.85 < chosen.threshold < 0.95
    assert numbers(best(songs, top=3, embeddings=embeddings, duplicate_threshold=1.0)) == [0, 1, 2]


def test_among_few_songs_only_the_same_sound_is_one():
    songs = [song_of(number, 5 - number) for number in range(4)]
    embeddings = vectors_of(4)
    embeddings[1], embeddings[2] = embeddings[0] * 2, embeddings[0] + 0.1 * embeddings[3]
    chosen = best(songs, top=4, embeddings=embeddings)
    assert numbers(chosen) == [0, 2, 3] and chosen.threshold is None


def test_the_units_of_an_embedding_do_not_matter():
    songs = [song_of(number, 5 - number / 20) for number in range(30)]
    embeddings = vectors_of(30)
    scales = np.random.default_rng(3).uniform(0.01, 100, 16)
    moved = {number: vector * scales + 40 * scales for number, vector in embeddings.items()}
    plain, other = (best(songs, top=6, diversity=0.6, embeddings=given) for given in (embeddings, moved))
    assert numbers(plain) == numbers(other) != [0, 1, 2, 3, 4, 5]
    assert plain.spread.vendi == pytest.approx(other.spread.vendi)


def test_caps_on_style_and_key():
    songs = [
        song_of(number, 5 - number / 10, style="x" if number < 3 else "y", bpm=100 + number) for number in range(6)
    ]
    chosen = best(songs, top=4, max_per_style=2)
    assert numbers(chosen) == [0, 1, 3, 4]
    assert [out.reason for out in chosen.left_out] == ["style"]
    assert numbers(best(songs, top=4, max_per_key=1)) == [0]
    # One style id may stand for different things in two genres.
    other = [replace(song, recipe=replace(song.recipe, genre=f"g{song.number}")) for song in songs]
    assert numbers(best(other, top=4, max_per_style=1)) == [0, 1, 2, 3]


def test_diversity_buys_distance_with_score():
    songs = [song_of(number, 5 - number / 100) for number in range(40)]
    # Four clusters; the best songs are all in the first.
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(4, 16))
    embeddings = {number: centres[number // 10] + 0.3 * generator.normal(size=16) for number in range(40)}
    # Within a cluster songs are near-duplicates, which is not what this is about.
    given = {"top": 4, "embeddings": embeddings, "duplicate_threshold": 1.0}
    plain, mixed, widest = (best(songs, diversity=value, **given) for value in (0.0, 0.5, 1.0))
    assert plain.spread == plain.plain_spread == mixed.plain_spread
    assert mixed.spread.vendi > plain.spread.vendi and mixed.spread.distance > plain.spread.distance
    assert mixed.price > plain.price == 0.0
    assert {number // 10 for number in numbers(widest)} == {0, 1, 2, 3}
    assert mixed.notes()["vendi_plain"] == plain.spread.vendi


def test_a_song_that_was_not_heard_can_still_be_chosen():
    songs = [song_of(number, 5 - number) for number in range(4)]
    embeddings = vectors_of(4)
    del embeddings[1]
    assert numbers(best(songs, top=4, diversity=0.2, embeddings=embeddings))[:2] == [0, 1]


def test_embeddings_of_several_studies_are_kept_apart():
    songs = [song_of(0, study="a"), song_of(0, study="b", style="other")]
    both = {("a", 0): np.ones(3), ("b", 0): -np.ones(3)}
    assert best(songs, top=2, embeddings=both).spread.distance == pytest.approx(2.0)
    with pytest.raises(UsageError, match="ambiguous for several studies"):
        best(songs, top=2, embeddings={0: np.ones(3)})
    with pytest.raises(UsageError, match="3 and 4 numbers cannot be compared"):
        best(songs, top=2, embeddings=both | {("b", 0): np.ones(4)})


def test_ranking_by_what_is_expected():
    songs = [
        replace(song_of(0, 5.0), expected=3.0, shrunken=4.0),
        replace(song_of(1, 4.0), expected=3.5, shrunken=3.75),
        replace(song_of(2, 4.5), expected=3.25, shrunken=3.875),
    ]
    assert numbers(best(songs, top=3)) == [0, 2, 1]
    chosen = best(songs, top=3, by="expected")
    assert numbers(chosen) == [1, 2, 0] and chosen.price == 0.0
    assert numbers(best(songs[::-1], top=3, by="shrunken")) == [0, 2, 1]
    assert [worth(songs[0], by) for by in RANKINGS] == [5.0, 3.0, 4.0]
    for by in ("expected", "shrunken"):
        with pytest.raises(UsageError, match="song 7 of 's' has no estimate"):
            best([*songs, song_of(7)], top=1, by=by)


def test_takes_of_a_recipe_are_told_apart_by_their_own_estimate_then_by_their_score():
    takes = [
        replace(song_of(number, value, style="one"), expected=3.5, shrunken=shrunken)
        for number, value, shrunken in [(0, 3.0, 3.25), (1, 4.0, 3.75), (2, 4.25, 3.75), (3, 4.25, 3.75)]
    ]
    assert numbers(best(takes, top=1, by="expected")) == [2]
    ranked = sorted(takes, key=lambda song: place(song, "expected"))
    assert [song.number for song in ranked] == [2, 3, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "--top 0 is not usable"),
        ({"by": "value"}, "--by 'value' is not one of score, expected, shrunken"),
        ({"diversity": 1.5}, "--diversity 1.5 is not usable"),
        ({"diversity": math.nan}, "--diversity nan is not usable"),
        ({"max_per_style": 0}, "--max-per-style 0 is not usable"),
        ({"max_per_key": -1}, "--max-per-key -1 is not usable"),
        ({"duplicate_threshold": 2.0}, "duplicate threshold 2 is not usable"),
        ({"diversity": 0.5}, "diversity 0.5 needs embeddings"),
    ],
)
def test_values_are_checked(options, message):
    with pytest.raises(UsageError, match=message):
        best([song_of(0)], **({"top": 5} | options))


def test_nothing_to_choose_from():
    chosen = best([], top=5, diversity=0.5)
    assert chosen.songs == chosen.plain == () and chosen.price == 0.0


def record_of(name, songs=(), **scorer):
    return Record(name, Path("/runs") / name, {"scorer": {"name": "acoustic", "revision": "1"} | scorer}, tuple(songs))


def test_studies_are_pooled_when_they_were_scored_alike():
    first, second = record_of("a", [song_of(0, study="a")]), record_of("b", [song_of(0, study="b")])
    assert [song.study for song in pool([first, second])] == ["a", "b"]
    with pytest.raises(UsageError, match=r"scorer\.revision: a has 1, b has 2") as caught:
        pool([first, record_of("b", revision="2")])
    assert caught.value.exit_code == 2 and "optimize rescore" in str(caught.value)
    with pytest.raises(UsageError, match=r"scorer\.terms: a has None, b has"):
        pool([first, record_of("b", terms={"x": 1})])
    with pytest.raises(UsageError, match="'a' is named 2 times"):
        pool([first, first])


def test_the_threshold_is_a_share_of_the_usual_distance():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(60, 32))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = list(range(60))
    assert duplicate_cosine(unit, groups) == pytest.approx(0.9, abs=0.01)
    # Takes do not count as different songs, however many they are.
    takes = np.concatenate((unit[:12], np.repeat(unit[:1], 48, axis=0)))
    assert duplicate_cosine(takes, [*range(12), *([0] * 48)]) == pytest.approx(0.9, abs=0.05)
    assert duplicate_cosine(takes, list(range(60))) > 0.99
    assert duplicate_cosine(unit[:FEW], groups[:FEW]) is not None
    assert duplicate_cosine(unit[: FEW - 1], groups[: FEW - 1]) is None


def test_vendi_counts_different_songs():
    unit = np.eye(4)
    assert vendi(unit) == pytest.approx(4.0)
    assert vendi(unit[[0, 0, 0]]) == pytest.approx(1.0)
    assert vendi(unit[[0, 0, 1, 1]]) == pytest.approx(2.0)
    assert mean_distance(unit) == pytest.approx(1.0)


def test_constant_coordinates_do_not_count():
    vectors = np.array([[1.0, 5.0, 0.1 + 0.2], [3.0, 5.0, 0.3]])
    assert standardise(vectors) == pytest.approx(np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert standardise(vectors[:1]) == pytest.approx(vectors[:1])


def test_two_thousand_songs_take_a_moment():
    import time

    generator = random.Random(0)
    songs = [song_of(number, generator.random(), style=f"s{number}") for number in range(2000)]
    embeddings = vectors_of(2000, width=84)
    start = time.process_time()
    assert len(best(songs, top=50, diversity=0.3, embeddings=embeddings).songs) == 50
    assert time.process_time() - start < 5.0

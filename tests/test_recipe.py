"""A recipe refuses what cannot be rendered, and its digest is stable and sees every field."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import RecipeError
from optimizer.music import KEYS
from optimizer.recipe import LANGUAGE_NAMES, LANGUAGES, TIME_SIGNATURES, Recipe

GOLDEN = Recipe(
    genre="bhangra",
    style="dhol-party",
    caption="dhol, tumbi and brass",
    bpm=105,
    key="D# minor",
    language="pa",
    lyrics="[Verse]\nਢੋਲ ਵੱਜਿਆ",
    seed=7,
    duration=30,
)
GOLDEN_DIGEST = "410da46f82bb95a122a93ca3031959e7d2b2ec9ca5d0db653085fd17ac186da8"

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
names = text.filter(str.strip)
values = {
    "genre": names,
    "style": names,
    "caption": names,
    "bpm": st.integers(30, 300),
    "key": st.sampled_from(KEYS),
    "language": st.sampled_from(LANGUAGES),
    "lyrics": st.one_of(st.just(""), text),
    "seed": st.integers(0, 2**31 - 1),
    "duration": st.floats(0.2, 600),
    "time_signature": st.sampled_from(TIME_SIGNATURES),
}
recipes = st.builds(Recipe, **values)
FIELDS = [field.name for field in dataclasses.fields(Recipe)]


def changed(**fields: Any) -> Recipe:
    return dataclasses.replace(GOLDEN, **fields)


def test_every_field_has_a_strategy_here() -> None:
    assert list(values) == FIELDS


def test_the_digest_is_stable() -> None:
    assert GOLDEN.digest == GOLDEN_DIGEST


def test_the_digest_is_the_hash_of_sorted_compact_json() -> None:
    by_hand = (
        '{"bpm":105,"caption":"dhol, tumbi and brass","duration":30.0,"genre":"bhangra","key":"Eb minor",'
        '"language":"pa","lyrics":"[Verse]\\nਢੋਲ ਵੱਜਿਆ","seed":7,"style":"dhol-party","time_signature":"4"}'
    )
    assert GOLDEN.digest == hashlib.sha256(by_hand.encode("utf-8")).hexdigest()


@pytest.mark.parametrize("name", FIELDS)
@given(data=st.data(), recipe=recipes)
def test_the_digest_sees_every_field(name: str, data: st.DataObject, recipe: Recipe) -> None:
    value = data.draw(values[name].filter(lambda value: value != getattr(recipe, name)))
    assert dataclasses.replace(recipe, **{name: value}).digest != recipe.digest


@given(recipes)
def test_recipes_survive_json(recipe: Recipe) -> None:
    twin = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert twin == recipe
    assert twin.digest == recipe.digest
    assert hash(twin) == hash(recipe)


def test_other_spellings_are_the_same_recipe() -> None:
    assert GOLDEN.key == "Eb minor"
    assert changed(key="e♭ MINOR", duration=30.0).digest == GOLDEN.digest
    assert isinstance(GOLDEN.duration, float)


@given(recipes, st.integers(0, 2**31 - 1), st.floats(0.2, 600))
def test_takes_share_their_combo(recipe: Recipe, seed: int, duration: float) -> None:
    assert dataclasses.replace(recipe, seed=seed, duration=duration).combo == recipe.combo


def test_the_combo_is_what_is_searched() -> None:
    assert GOLDEN.combo == ("bhangra", "dhol-party", 105, "Eb minor", "pa")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("genre", " "),
        ("genre", None),
        ("style", ""),
        ("caption", ""),
        ("caption", "\n "),
        ("caption", "x" * 513),
        ("caption", 5),
        ("caption", "lone \ud800 surrogate"),
        ("lyrics", "x" * 4097),
        ("lyrics", None),
        ("lyrics", "\udfff"),
        ("bpm", 29),
        ("bpm", 301),
        ("bpm", 120.0),
        ("bpm", True),
        ("bpm", "120"),
        ("key", "H minor"),
        ("key", None),
        ("language", "punjabi"),
        ("language", None),
        ("seed", -1),
        ("seed", 2**31),
        ("seed", 1.0),
        ("seed", False),
        ("duration", 0.1),
        ("duration", 600.1),
        ("duration", float("nan")),
        ("duration", float("inf")),
        ("duration", "30"),
        ("duration", True),
        ("time_signature", "5"),
        ("time_signature", 4),
        ("time_signature", ["4"]),
    ],
)
def test_a_value_out_of_range_names_field_and_value(name: str, value: object) -> None:
    with pytest.raises(RecipeError) as caught:
        changed(**{name: value})
    assert name in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "value"),
    [("bpm", 30), ("bpm", 300), ("seed", 0), ("seed", 2**31 - 1), ("duration", 0.2), ("duration", 600),
     ("caption", "x" * 512), ("lyrics", "x" * 4096), ("lyrics", ""), ("language", "yue"), ("time_signature", "6")],
)  # fmt: skip
def test_the_ends_of_every_range_are_legal(name: str, value: object) -> None:
    assert getattr(changed(**{name: value}), name) == value


def test_a_mistyped_language_gets_a_hint() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'yue'"):
        changed(language="yuee")


def test_unknown_and_missing_fields_are_named() -> None:
    with pytest.raises(RecipeError, match=r"'tempo' is not a recipe field"):
        Recipe.from_dict({**GOLDEN.to_dict(), "tempo": 100})
    with pytest.raises(RecipeError, match=r"'langauge' .* Did you mean 'language'"):
        Recipe.from_dict({**GOLDEN.to_dict(), "langauge": "pa"})
    incomplete = GOLDEN.to_dict()
    del incomplete["seed"]
    with pytest.raises(RecipeError, match="seed"):
        Recipe.from_dict(incomplete)


json_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "tempo"]), json_values))
def test_any_json_object_is_a_recipe_or_a_recipe_error(fields: dict[str, Any]) -> None:
    try:
        recipe = Recipe.from_dict({**GOLDEN.to_dict(), **fields})
    except RecipeError:
        return
    assert len(recipe.digest) == 64


def test_the_languages_are_those_of_ace_step() -> None:
    assert len(LANGUAGES) == 51
    assert {"pa", "hi", "ur", "zh", "yue", "en", "unknown"} <= set(LANGUAGES)
    assert len(set(LANGUAGE_NAMES.values())) == 51

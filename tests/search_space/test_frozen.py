"""A search space stored with a run comes back whole, or is told to be damaged."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from optimizer.errors import SpaceError
from optimizer.search_space import Range, SearchSpace, genre_names, load_genre
from optimizer.search_space.frozen import from_json, to_json


@pytest.mark.parametrize("name", [*genre_names(), "all"])
def test_every_shipped_space_comes_back_whole(name: str) -> None:
    space = load_genre(name)
    twin = from_json(to_json(space))
    assert twin == space
    assert twin.digest == space.digest
    assert list(twin.points()) == list(space.points())


def test_a_range_comes_back_a_range(grid: SearchSpace) -> None:
    ranged = SearchSpace("ranged", (dataclasses.replace(grid.genres[0], bpm=Range(90, 120, 10)),))
    assert from_json(to_json(ranged)) == ranged


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"sha256": "0"}',
        '{"a": "\\ud800", "sha256": "0"}',
        '{"name": "x", "genres": [{}]}',
        '{"name": "x", "genres": []}',
        "[" * 9999,
    ],
)
def test_what_is_no_space_is_told_so(text: str) -> None:
    with pytest.raises(SpaceError):
        from_json(text)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["id", "low", "high"]), inner)
    ),
    max_leaves=3,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """List every (container, key) in a document."""
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for key in keys for place in [(node, key), *places(node[key])]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_is_noticed(grid: SearchSpace, data: st.DataObject) -> None:
    raw = json.loads(to_json(grid))
    container, key = data.draw(st.sampled_from(places(raw)))
    before = copy.deepcopy(raw)
    if data.draw(st.booleans()):
        del container[key]
    else:
        container[key] = copy.deepcopy(data.draw(json_values))
    assume(json.dumps(raw) != json.dumps(before))
    with pytest.raises(SpaceError, match="damaged"):
        from_json(json.dumps(raw))


def test_spaces_and_indentation_are_no_damage(grid: SearchSpace) -> None:
    assert from_json(json.dumps(json.loads(to_json(grid)), indent=4, sort_keys=True)) == grid

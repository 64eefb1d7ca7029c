"""Names of engines: registered ones, a user's own, and neither."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.rendering import registry
from optimizer.rendering.registry import RenderOptions, resolve


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's whose import would be seen."""
    (tmp_path / "own_engine.py").write_text("raise SystemExit('imported')\n\nclass Engine:\n    pass\n")
    (tmp_path / "own_package" / "deep").mkdir(parents=True)
    (tmp_path / "own_package" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "own_package" / "deep" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "deep" / "engine.py").write_text("class Engine:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_registered_engine_is_described():
    spec = resolve("synth", RenderOptions(duration=8.0))
    assert spec.name == "synth"
    assert spec.revision


def test_an_unknown_name_is_answered_with_what_there_is():
    with pytest.raises(UsageError, match="Did you mean 'synth'") as caught:
        resolve("snyth")
    assert "acestep-native" in caught.value.next_step


def test_a_class_of_ones_own_is_hashed_but_not_imported(own):
    first = resolve("own_engine:Engine", RenderOptions(model="weights", duration=8.0))
    assert "own_engine" not in sys.modules
    assert first.target == "own_engine:Engine"
    assert first.config["duration"] == 8.0
    assert first.read_paths[0].name == "weights"
    (own / "own_engine.py").write_text("class Engine:\n    other = 1\n")
    assert resolve("own_engine:Engine").revision != first.revision


def test_a_package_is_hashed_as_a_whole_but_not_imported(own):
    first = resolve("own_package.deep.engine:Engine")
    assert "own_package" not in sys.modules
    (own / "own_package" / "helper.py").write_text("x = 1\n")
    assert resolve("own_package.deep.engine:Engine").revision != first.revision


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:Engine", "no module 'no_such_module'"),
        ("own_engine:Engin", "Did you mean 'Engine'"),
        ("own_package.none:Engine", "no module"),
        ("own engine:Engine", "MODULE:CLASS"),
        ("own_engine:", "MODULE:CLASS"),
    ],
)
def test_what_is_not_there_is_a_usage_error(name, words, own):
    with pytest.raises(UsageError, match=words) as caught:
        resolve(name)
    assert caught.value.exit_code == 2


def test_source_that_is_not_python_is_a_usage_error(own):
    (own / "own_engine.py").write_text("class Engine(:\n")
    with pytest.raises(UsageError, match="not valid Python"):
        resolve("own_engine:Engine")


def test_a_plug_in_is_found_and_its_code_becomes_readable(tmp_path, monkeypatch):
    (tmp_path / "plug_in").mkdir()
    (tmp_path / "plug_in" / "__init__.py").write_text(
        "from optimizer.rendering.base import EngineSpec\n"
        "def describe(options):\n    return EngineSpec('plugged', 'plug_in:Engine', '1')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    made = EntryPoint("plugged", "plug_in:describe", registry.GROUP)
    other = EntryPoint("synth", "plug_in:describe", registry.GROUP)
    broken = EntryPoint("broken", "plug_in.none:describe", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: (made, other, broken))
    assert resolve("plugged").read_paths == (tmp_path / "plug_in",)
    # A name of ours cannot be taken over.
    assert resolve("synth").name == "synth"
    with pytest.raises(MissingPrerequisite, match="cannot be imported"):
        resolve("broken")

"""What every verb has in common: how a value is refused that an option cannot take."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.scoring import packages


@pytest.mark.parametrize(("words", "value"), [
    (["best", "bhangra", "--top", "0"], "0"), (["--genre", "bhangra", "--seed", "x"], "x"),
    (["verify", "bhangra", "--takes", "-2"], "-2"), (["best", "bhangra", "--diversity", "much"], "much"),
])  # fmt: skip
def test_a_value_that_an_option_cannot_take_is_named(words, value):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert words[-2] in done.stderr and f"'{value}' must be" in done.stderr and "-h" in done.stderr


@pytest.mark.parametrize(("recipe", "absent", "refused"), [
    ("robust", "torch", True), ("published", "safetensors", True), ("ridge", "safetensors", True),
    ("ridge", "torch", False),
])  # fmt: skip
def test_training_without_its_packages_says_what_to_install(tmp_path, monkeypatch, recipe, absent, refused):
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == absent else object())
    words = ["train", "--data", str(tmp_path / "none"), "--target", "label", "--recipe", recipe]
    error = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")]).exception
    if refused:
        assert isinstance(error, MissingPrerequisite) and error.exit_code == 3
        assert absent in error.message and f"--recipe {recipe}" in error.message and "[models]" in error.next_step
    else:
        assert isinstance(error, UsageError), "it looks for its data"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "kind"), [
    ("torch", MissingPrerequisite), ("safetensors.numpy", MissingPrerequisite),
    ("optimizer.nowhere", ModuleNotFoundError),
])  # fmt: skip
def test_a_package_of_the_models_that_is_not_there_is_no_bug(monkeypatch, name, kind):
    def missing():
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("optimizer.search_space.genre_names", missing)
    error = CliRunner().invoke(app, ["spaces"]).exception
    assert type(error) is kind and name.partition(".")[0] in str(error)

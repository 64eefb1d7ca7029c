"""What every verb has in common: how a value is refused that an option cannot take."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app


@pytest.mark.parametrize(("words", "value"), [
    (["best", "bhangra", "--top", "0"], "0"), (["--genre", "bhangra", "--seed", "x"], "x"),
    (["verify", "bhangra", "--takes", "-2"], "-2"), (["best", "bhangra", "--diversity", "much"], "much"),
])  # fmt: skip
def test_a_value_that_an_option_cannot_take_is_named(words, value):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert words[-2] in done.stderr and f"'{value}' must be" in done.stderr and "-h" in done.stderr

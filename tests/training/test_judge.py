"""Judging judges."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError


def test_the_commands(tmp_path, planted_data):
    run = CliRunner()
    words = ["train", "--data", str(planted_data), "--target", "label", "--group", "artist_id", "--recipe", "ridge",
             "--out", str(tmp_path / "h")]  # fmt: skip
    result = run.invoke(app, words)
    assert result.exit_code == 0 and "The audio model" in result.stdout.splitlines()[0], result.output
    words = ["evaluate", "--data", str(planted_data), "--json"]
    assert json.loads(run.invoke(app, words).stdout)["songs"] == 750

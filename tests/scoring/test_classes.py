"""A classifier's folder in a study: what it stands for, that this is frozen, and what is wrong with a broken one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring.acoustic_ear import NAME
from optimizer.scoring.classes import class_of
from optimizer.scoring.heads import open_head, write_head


def write(folder: Path, classes: list[object], outputs: int = 2) -> None:
    config = {"name": "genre", "encoder": NAME, "kind": "classifier", "classes": classes, "target": {"kind": "softmax"}}
    from optimizer.scoring.acoustic import WIDTH

    random = np.random.default_rng(0)
    tensors = {"members.0.net.0.weight": random.standard_normal((outputs, WIDTH)) / 4,
               "members.0.net.0.bias": np.zeros(outputs)}  # fmt: skip
    write_head(folder, config, tensors)


def optimize(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_study_keeps_the_class_of_its_genre(tmp_path: Path) -> None:
    write(tmp_path / "genres", ["Rock", "polka"])
    words = ["--runs-dir", tmp_path / "runs", "--progress", "none"]
    more = ["--renderer", "synth", "--duration", "0.5", "--trials", "2"]
    optimize("--genre", "rock", "--scorer", tmp_path / "genres", *words, *more)
    run = tomllib.loads((tmp_path / "runs" / "rock" / "run.toml").read_text())
    assert run["scorer"]["name"] == "genre:Rock"
    # Gone on with, and judged again, by the same.
    optimize("--genre", "rock", "--trials", "3", *words)
    again = optimize("rescore", "rock", "--scorer", tmp_path / "genres", *words[:2], "--json")
    songs = json.loads(again)
    assert len(songs) == 3
    for song in songs:
        assert song["score"] == pytest.approx(song["objective"], abs=1e-6)
    other = json.loads(optimize("rescore", "rock", "--scorer", f"{tmp_path / 'genres'}:polka", *words[:2], "--json"))
    assert [one["score"] + two["score"] for one, two in zip(songs, other, strict=True)] == pytest.approx([10.0] * 3)
    with pytest.raises(UsageError, match="genre 'edm' is not one of its classes"):
        optimize("--genre", "edm", "--scorer", tmp_path / "genres", *words, *more)
    assert not (tmp_path / "runs" / "edm").exists()


def test_a_genre_is_compared_without_case_and_punctuation(tmp_path: Path) -> None:
    assert class_of(["Hip Hop", "Rock"], ["hip-hop"], tmp_path) == "Hip Hop"
    assert class_of(["Hip Hop", "Rock"], None, tmp_path) is None
    with pytest.raises(UsageError, match="not one of its classes"):
        # Two are alike: neither is meant.
        class_of(["Hip Hop", "hip-hop"], ["hip-hop"], tmp_path)


def test_a_folder_without_a_kept_promise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must end in 3 outputs"):
        write(tmp_path / "a", ["x", "y", "z"])
    for classes in ([], ["x", "x"], ["x"], ["x", 3]):
        with pytest.raises(CheckpointError, match="two or more different names"):
            write(tmp_path / "a", classes)
    assert not (tmp_path / "a").exists()
    write(tmp_path / "a", ["x", "y"])
    with pytest.raises(CheckpointError, match="has no class 'z'; it has x, y"):
        open_head(tmp_path / "a", {"kind": "softmax", "class": "z"})

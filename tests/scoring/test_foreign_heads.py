"""Heads from elsewhere: whatever their files hold is an error that says so, and nothing reaches the terminal raw."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from optimizer.errors import CheckpointError, UsageError
from optimizer.scoring import parse, prepare
from optimizer.scoring.heads import Target, open_head, read_config, write_head
from optimizer.scoring.plane import open_plane

LINE = {"members.0.net.0.weight": np.ones((1, 4), np.float32), "members.0.net.0.bias": np.zeros(1, np.float32)}
CONFIG = {"encoder": "acoustic-1", "target": {"kind": "clamp"}}


def write(folder: Path, config: dict[str, Any] | str = "", tensors: dict[str, np.ndarray] | None = None) -> Path:
    """Write a head's two files, unchecked."""
    folder.mkdir(parents=True, exist_ok=True)
    text = config if isinstance(config, str) and config else json.dumps({"format": 1, **CONFIG, **dict(config or {})})
    (folder / "head.json").write_text(text)
    save_file({**LINE, **(tensors or {})}, str(folder / "head.safetensors"))
    return folder


@pytest.mark.parametrize("nested", ["[" * 200_000, '{"format": 1, "encoder": ' + "[" * 200_000])
def test_a_description_of_brackets_alone_is_damaged(tmp_path: Path, nested: str) -> None:
    folder = write(tmp_path / "head", nested)
    for ask in (read_config, open_head):
        with pytest.raises(CheckpointError, match=r"head\.json cannot be read"):
            ask(folder)
    # The grammar looks for classes in there.
    with pytest.raises(CheckpointError, match=r"head\.json cannot be read"):
        prepare(f"{folder}")
    with pytest.raises(UsageError, match="there is no scorer"):
        parse(f"{folder}:a b")
    (tmp_path / "emotion.json").write_text(nested)
    with pytest.raises(CheckpointError, match=r"emotion\.json cannot be read"):
        prepare(f"emotion:{tmp_path}:calm")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"project": np.ones(4, np.float32)}, r"project of shape \(4,\) must have 2 dimensions"),
        ({"project": np.ones((2, 2, 4), np.float32)}, r"project of shape \(2, 2, 4\) must have 2"),
        ({"project": np.ones((1, 0), np.float32)}, r"project of shape \(1, 0\)"),
        (
            {"standardise.mean": np.ones(4, np.float32), "standardise.std": np.ones((1, 4), np.float32)},
            r"standardise\.std of shape \(1, 4\) must have 1 dimension",
        ),
        (
            {"standardise.mean": np.ones((4, 4), np.float32), "standardise.std": np.ones(4, np.float32)},
            r"standardise\.mean of shape \(4, 4\)",
        ),
        ({"standardise.mean": np.ones(4, np.float32), "standardise.std": np.ones(1, np.float32)}, "do not fit"),
        ({f"members.{'9' * 5000}.net.0.weight": np.ones((1, 4), np.float32)}, "must hold members"),
        ({f"members.0.net.{'9' * 5000}.weight": np.ones((1, 4), np.float32)}, "unexpected"),
    ],
)
def test_arrays_of_other_shapes_are_refused(tmp_path: Path, tensors: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        open_head(write(tmp_path / "head", "", tensors))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": ["x"]},
        {"raw": [[1], [2]]},
        {"kind": "quantile", "raw": [None, 1], "score": [0, 1]},
        {"kind": "quantile", "raw": [0, 10**400], "score": [0, 1]},
        {"kind": "affine", "offset": 10**400},
        {"kind": {"a": 1}},
        {"scale": [1.0]},
    ],
)
def test_targets_of_other_types_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="target"):
        Target.from_dict(values)


@pytest.mark.parametrize("word", ["name", "encoder"])
@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "\x9b2J", "a\u202eb", "", " ", "x" * 201, ["mine"], 7])
def test_what_would_be_printed_is_one_printable_line(tmp_path: Path, word: str, text: Any) -> None:
    folder = write(tmp_path / "head", {word: text})
    with pytest.raises(
        CheckpointError, match=r"must be one line of 1 to 200 printable|must name its encoder"
    ) as caught:
        read_config(folder)
    assert "\x1b" not in str(caught.value) and len(caught.value.message) < 500 + len(str(folder))
    write(folder, {word: "Früh am Morgen, 朝"})
    assert read_config(folder)[word] == "Früh am Morgen, 朝"


def test_classes_are_printable_too(tmp_path: Path) -> None:
    two = {"members.0.net.0.weight": np.ones((2, 4), np.float32), "members.0.net.0.bias": np.zeros(2, np.float32)}
    folder = write(tmp_path / "head", {"kind": "classifier", "classes": ["pop", "\x1b]0;pop"]}, two)
    with pytest.raises(CheckpointError, match="two or more different names, each one line"):
        open_head(folder)


@pytest.mark.parametrize("units", ["x", [1, 2], {"offset": "far"}, {"scale": 10**400}, {"scale": float("nan")}])
def test_an_axis_has_its_units(tmp_path: Path, units: Any) -> None:
    for axis in ("valence", "arousal"):
        write(tmp_path / axis, {"units": units})
    with pytest.raises(CheckpointError, match=r"units .* must hold two numbers"):
        open_plane(tmp_path, {"point": [1, 2], "reach": 1.0})


def test_weights_of_a_type_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    folder = write(tmp_path / "head")
    save_torch({name: torch.ones(array.shape, dtype=torch.bfloat16) for name, array in LINE.items()},
               str(folder / "head.safetensors"))  # fmt: skip
    with pytest.raises(CheckpointError, match=r"number type|truncated or damaged"):
        open_head(folder)


def test_whoever_may_read_the_card_may_read_the_weights(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_head(tmp_path / "head", CONFIG, LINE)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "head").iterdir()}
    assert modes == {"head.json": 0o644, "head.safetensors": 0o644}

"""Which encoder a head asks for: the pinned one under its short name too, a folder's by what is in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optimizer.errors import CheckpointError
from optimizer.scoring import mert_files, open_scorer, prepare
from optimizer.scoring.heads import write_head

Write = Callable[..., Path]
PINNED = "m-a-p/MERT-v1-330M@0e06c986db0527c0fd1b47181c40f006805e3de0"


@pytest.fixture
def write_line(tmp_path: Path) -> Write:
    """Return a function that writes a head for embeddings of 32 numbers of a given encoder."""

    def write(encoder: str, name: str = "mine") -> Path:
        tensors = {"members.0.net.0.weight": np.ones((1, 32)), "members.0.net.0.bias": np.zeros(1)}
        write_head(tmp_path / name, {"name": name, "encoder": encoder, "target": {"kind": "clamp"}}, tensors)
        return tmp_path / name

    return write


@pytest.fixture
def pinned(mert_folder: Path) -> Path:
    """A small MERT where the pinned one would lie in the cache."""
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / "models--m-a-p--MERT-v1-330M" / "snapshots"
    snapshots.mkdir(parents=True)
    return Path(shutil.copytree(mert_folder, snapshots / mert_files.REVISION))


@pytest.mark.parametrize("encoder", ["m-a-p/MERT-v1-330M", PINNED])
def test_a_head_of_a_published_corpus_means_the_pinned_encoder(
    pinned: Path, write_line: Write, mert_folder: Path, songs: list[Path], encoder: str
) -> None:
    assert PINNED == mert_files.PINNED
    folder = write_line(encoder)
    for options in ({}, {"encoder": "m-a-p/MERT-v1-330M"}, {"encoder": PINNED}):
        spec = prepare(str(folder), options)
        assert spec.identity["encoder"] == PINNED
    assert 0 <= open_scorer(spec).score(songs[:1])[0]["value"] <= 10
    # A folder may hold anything; of these weights only the commit is known.
    with pytest.raises(CheckpointError, match=r"was trained on m-a-p/MERT-v1-330M@0e06.*; the encoder here is mert@"):
        prepare(str(folder), {"encoder": str(mert_folder)})


def test_a_pinned_encoder_that_is_not_here_is_fetched(write_line: Write) -> None:
    with pytest.raises(CheckpointError, match=r"not on this machine(.|\n)*Run: optimize setup mert"):
        prepare(str(write_line("m-a-p/MERT-v1-330M")))


@pytest.mark.parametrize(
    ("encoder", "step"),
    [
        ("mert@sha256:d757d757d757d757", r"--encoder FOLDER"),
        ("owner/other@abc", r"--encoder owner/other@abc"),
        ("unknown", r"embedding\.json"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_another_encoder_is_asked_for_by_name(
    write_line: Write, request: Any, encoder: str, step: str, there: bool
) -> None:
    if there:
        request.getfixturevalue("pinned")
    with pytest.raises(CheckpointError, match=rf"head mine was trained on {encoder}, and no encoder") as caught:
        prepare(str(write_line(encoder)))
    assert caught.value.next_step is not None
    assert step.replace("\\", "") in caught.value.next_step and "setup mert" not in str(caught.value)


def test_the_folder_that_is_asked_for_is_taken(write_line: Write, mert_folder: Path) -> None:
    other = prepare("banger", {"encoder": mert_folder, "head": write_line("x") / "head.safetensors"})
    folder = write_line(str(other.identity["encoder"]))
    assert prepare(str(folder), {"encoder": mert_folder}).identity["encoder"] == other.identity["encoder"]

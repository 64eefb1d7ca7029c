"""Damage that can be seen without loading a model."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest

from optimizer.checkpoints import files_of, verify


def test_whole_folder_has_no_problem(model: Path) -> None:
    assert verify(model, ("config.json", "vae/*.safetensors")) == []


def test_caches_of_clients_do_not_count(model: Path) -> None:
    (model / ".cache" / "huggingface").mkdir(parents=True)
    (model / ".cache" / "huggingface" / "x.json").write_text("not json")
    assert [file.name for file in files_of(model)] == ["config.json", "weights.safetensors"]
    assert verify(model) == []


def test_required_pattern_without_a_file(model: Path) -> None:
    assert verify(model, ("tokenizer/*.json",)) == ["no file matches 'tokenizer/*.json'"]


@pytest.mark.parametrize(("cut", "word"), [(4, "cut short"), (20, "inside its header"), (-8, "announces")])
def test_truncated_safetensors(model: Path, cut: int, word: str) -> None:
    path = model / "vae" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    (problem,) = verify(model)
    assert word in problem
    assert problem.startswith("vae/weights.safetensors")


def test_bytes_that_are_no_safetensors(model: Path) -> None:
    path = model / "vae" / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", 5) + b"hello" + b"\0" * 9)
    assert "header cannot be read" in verify(model)[0]
    path.write_bytes(b"\xff" * 100)
    assert "larger than the format allows" in verify(model)[0]


def test_pointer_of_git_lfs(model: Path) -> None:
    path = model / "vae" / "weights.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in verify(model)[0]


def test_broken_json_and_empty_file(model: Path) -> None:
    (model / "config.json").write_text('{"a": ')
    (model / "more.json").write_text("")
    assert ["is not JSON" in problem or "is empty" in problem for problem in verify(model)] == [True, True]


def test_zipped_checkpoint_cut_short(model: Path) -> None:
    path = model / "head.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", b"x" * 500)
    assert verify(model) == []
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut short" in verify(model)[0]


def test_shard_that_the_index_names(model: Path) -> None:
    index = {"weight_map": {"w": "weights.safetensors", "v": "weights-2.safetensors"}}
    (model / "vae" / "weights.safetensors.index.json").write_text(json.dumps(index))
    (problem,) = verify(model)
    assert problem.startswith("weights-2.safetensors, which vae/weights.safetensors.index.json names")


def test_half_downloaded_file_is_named(model: Path) -> None:
    (model / "vae" / "weights.safetensors").unlink()
    (model / "vae" / "abc.incomplete").write_bytes(b"x")
    problems = verify(model, ("vae/*.safetensors",))
    assert problems == [
        "no file matches 'vae/*.safetensors'",
        "1 file(s) are half-downloaded, such as 'abc.incomplete'",
    ]

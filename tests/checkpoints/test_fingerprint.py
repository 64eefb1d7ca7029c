"""Fingerprints follow content, and only what changed is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from optimizer.checkpoints import fingerprint, weights_hash


def test_follows_content_and_names(model: Path) -> None:
    before = weights_hash(model)
    assert weights_hash(model) == before
    (model / "readme.md").write_text("words about it")
    assert weights_hash(model) == before
    (model / "config.json").write_text('{"a": 1}')
    changed = weights_hash(model)
    assert changed != before
    (model / "config.json").rename(model / "other.json")
    assert weights_hash(model) not in (before, changed)


def test_does_not_depend_on_the_place(model: Path) -> None:
    before = weights_hash(model)
    moved = model.rename(model.parent / "elsewhere")
    assert weights_hash(moved) == before


def test_unchanged_files_are_not_read_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = fingerprint.sha256_of
    monkeypatch.setattr(fingerprint, "sha256_of", lambda path: read.append(path.name) or real(path))
    weights_hash(model)
    assert sorted(read) == ["config.json", "weights.safetensors"]
    weights_hash(model)
    assert len(read) == 2
    os.utime(model / "config.json", ns=(1, 1))
    weights_hash(model)
    assert read[2:] == ["config.json"]


def test_broken_or_unwritable_memory_costs_only_time(model: Path, tmp_path: Path) -> None:
    before = weights_hash(model)
    (store,) = (tmp_path / "cache").rglob("hashes.json")
    store.write_text("{ no")
    assert weights_hash(model) == before
    store.unlink()
    store.mkdir()
    assert weights_hash(model) == before

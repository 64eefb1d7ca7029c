"""Downloads through the real client from a stand-in Hub: progress, resumption, and every refusal in plain words."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from optimizer.checkpoints import download, local_or_snapshot
from optimizer.errors import CheckpointError, MissingPrerequisite, StorageFull

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEND = "optimize setup thing"


@pytest.fixture
def filled(hub, weights, monkeypatch):
    # So that a file of 400 kB counts as large.
    monkeypatch.setattr(importlib.import_module("optimizer.checkpoints.download"), "RESUMED", 1000)
    hub.files = {
        "config.json": b"{}",
        "model.safetensors": weights(b"\1" * 400_000),
        "README.md": b"words",
    }
    return hub


def fetch(hub, **more):
    return download("owner/model", "main", files=("*.json", "*.safetensors"), mend=MEND, endpoint=hub.endpoint, **more)


def test_arrives_whole_pinned_and_with_progress(filled, own_caches: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = fetch(filled, progress=lambda done, total: seen.append((done, total)))
    assert found.commit == COMMIT
    assert sorted(path.name for path in found.folder.iterdir()) == ["config.json", "model.safetensors"]
    total = sum(len(filled.files[name]) for name in ("config.json", "model.safetensors"))
    assert seen[-1] == (total, total)
    assert all(0 <= done <= total for done, _ in seen)
    assert local_or_snapshot("owner/model", COMMIT).folder == found.folder
    assert local_or_snapshot("owner/model").commit == COMMIT


def test_second_time_fetches_nothing(filled) -> None:
    fetch(filled)
    filled.asked.clear()
    fetch(filled)
    assert not [line for line in filled.asked if line.startswith("GET /owner")]


def test_goes_on_where_it_stopped(filled, own_caches: Path) -> None:
    fetch(filled)
    store = own_caches / "models--owner--model"
    (blob,) = (path for path in (store / "blobs").iterdir() if path.stat().st_size > 1000)
    half = blob.read_bytes()[:150_000]
    blob.unlink()
    (store / "snapshots" / COMMIT / "model.safetensors").unlink()
    blob.with_name(f"{blob.name}.incomplete").write_bytes(half)
    with pytest.raises(CheckpointError, match="not complete"):
        local_or_snapshot("owner/model", COMMIT, files=("*.safetensors",), mend=MEND)
    found = fetch(filled)
    assert (found.folder / "model.safetensors").read_bytes() == filled.files["model.safetensors"]
    assert filled.ranges == ["model.safetensors bytes=150000-"]


def test_stopped_in_a_large_file_keeps_what_arrived(filled, own_caches: Path, monkeypatch) -> None:
    def stopped(url, file, **_):
        file.write(filled.files["model.safetensors"][:100_000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(filled)
    fetch(filled)
    assert filled.ranges == ["model.safetensors bytes=100000-"]


def test_wrong_content_is_found_and_removed(filled) -> None:
    good = filled.files["model.safetensors"]
    filled.files["true:model.safetensors"] = good
    filled.files["model.safetensors"] = good[:-1] + b"\2"
    with pytest.raises(CheckpointError, match="SHA-256") as caught:
        fetch(filled)
    assert MEND in str(caught.value.next_step)
    filled.files["model.safetensors"] = good
    assert fetch(filled).commit == COMMIT


@pytest.mark.parametrize(
    ("status", "error", "kind", "words"),
    [
        (403, "GatedRepo", CheckpointError, "gated"),
        (404, "RepoNotFound", CheckpointError, "not on the Hub"),
        (404, "RevisionNotFound", CheckpointError, "no revision 'main'"),
        (500, "", MissingPrerequisite, "could not be fetched"),
    ],
)
def test_refusals(filled, monkeypatch, status: int, error: str, kind: type[Exception], words: str) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    filled.status, filled.error = status, error
    with pytest.raises(kind, match=words) as caught:
        fetch(filled)
    step = caught.value.next_step
    assert step
    if error == "GatedRepo":
        assert "hf auth login" in step and "huggingface.co/owner/model" in step and MEND in step


def test_no_network(monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    nobody = SimpleNamespace(endpoint="http://127.0.0.1:9")
    with pytest.raises(MissingPrerequisite, match="could not be fetched") as caught:
        fetch(nobody)
    assert MEND in str(caught.value.next_step)


def test_too_little_room_is_said_before_it_fills(filled, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10, used=10, free=1000))
    with pytest.raises(StorageFull, match="GB are free"):
        fetch(filled)
    assert not [line for line in filled.asked if "resolve" in line]

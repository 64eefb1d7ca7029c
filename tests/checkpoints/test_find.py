"""Models found in folders and in the Hub's cache, and the message when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.checkpoints import is_hub_id, local_or_snapshot
from optimizer.errors import CheckpointError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
MEND = "optimize setup thing"


def snapshot(hub: Path, commit: str = COMMIT) -> Path:
    store = hub / "models--owner--model"
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "blobs" / "aa").write_text("{}")
    folder = store / "snapshots" / commit
    folder.mkdir(parents=True)
    (folder / "config.json").symlink_to("../../blobs/aa")
    return folder


def test_folder(model: Path) -> None:
    found = local_or_snapshot(str(model), files=("config.json",))
    assert (found.name, found.folder, found.commit) == ("model", model, None)
    assert found.revision.startswith("sha256:")
    assert found.read_paths == (model,)
    assert found.size == sum(file.stat().st_size for file in model.rglob("*") if file.is_file())


def test_folder_whose_files_are_links(model: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (model / "config.json").rename(store / "config.json")
    (model / "config.json").symlink_to(store / "config.json")
    assert set(local_or_snapshot(str(model)).read_paths) == {model, store}


@pytest.mark.parametrize("name", ["nowhere/at/all", "./nowhere", "/nowhere"])
def test_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(CheckpointError, match="not there"):
        local_or_snapshot(name)


def test_damaged_folder_names_file_and_command(model: Path) -> None:
    (model / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON") as caught:
        local_or_snapshot(str(model), mend=MEND)
    assert caught.value.next_step == f"Run: {MEND}"
    assert caught.value.exit_code == 3


def test_snapshot_by_commit_and_by_branch(own_caches: Path) -> None:
    folder = snapshot(own_caches)
    by_commit = local_or_snapshot("owner/model", COMMIT)
    assert (by_commit.folder, by_commit.revision) == (folder, COMMIT)
    assert folder.parents[1] / "blobs" in by_commit.read_paths
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "v1").write_text(COMMIT)
    assert local_or_snapshot("owner/model@v1").commit == COMMIT


def test_one_snapshot_needs_no_revision_and_two_do(own_caches: Path) -> None:
    snapshot(own_caches)
    assert local_or_snapshot("owner/model").commit == COMMIT
    snapshot(own_caches, OTHER)
    with pytest.raises(CheckpointError, match="2 revisions") as caught:
        local_or_snapshot("owner/model")
    assert COMMIT in str(caught.value.next_step)


def test_snapshot_that_is_not_there() -> None:
    with pytest.raises(CheckpointError, match=f"owner/model at {OTHER} is not on this machine") as caught:
        local_or_snapshot("owner/model", OTHER, mend=MEND)
    assert caught.value.next_step == f"Run: {MEND}"


def test_interrupted_download_is_said(own_caches: Path) -> None:
    blobs = own_caches / "models--owner--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "aa.incomplete").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="only half-downloaded"):
        local_or_snapshot("owner/model", OTHER)


def test_folder_wins_over_a_hub_id(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    (model.parent / "owner").mkdir()
    model.rename(model.parent / "owner" / "model")
    assert not is_hub_id("owner/model")
    assert local_or_snapshot("owner/model").commit is None

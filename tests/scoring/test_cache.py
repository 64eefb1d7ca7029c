"""The store: what goes in comes out, whoever reads along and whenever the writer is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from optimizer.errors import UsageError
from optimizer.scoring.cache import EmbeddingStore, identity_key


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "new" / "embeddings.db")


def test_what_goes_in_comes_out_bit_for_bit(store: EmbeddingStore) -> None:
    rng = np.random.default_rng(0)
    for shape in ((4,), (3, 4), (0,)):
        array = rng.standard_normal(shape).astype(np.float32)
        store.put("audio", "encoder", array)
        found = store.get("audio", "encoder")
        assert found is not None and found.dtype == np.float32 and found.shape == shape
        assert np.array_equal(found, array)
    assert len(store) == 1


def test_keys_are_audio_and_encoder(store: EmbeddingStore) -> None:
    store.put("a", "one", np.ones(2))
    assert store.get("a", "two") is None
    assert store.get("b", "one") is None


def test_many_at_once(store: EmbeddingStore) -> None:
    names = [f"{number:064x}" for number in range(1_203)]
    for number, name in enumerate(names[:-1]):
        store.put(name, "e", np.array([number, 1.0]))
    found = store.get_many([*names, names[0]], "e")
    assert len(found) == 1_202 and names[-1] not in found
    assert all(found[name][0] == number for number, name in enumerate(names[:-1]))
    assert store.get_many([], "e") == {}


def test_verdicts(store: EmbeddingStore) -> None:
    verdict = {"value": 4.25, "parts": {"b": 1.0, "a": 2.0}, "curve": [1.0, 2.0]}
    store.put_verdict("a", identity_key({"name": "x"}), verdict)
    found = store.get_verdicts(["a", "b"], identity_key({"name": "x"}))
    assert found == {"a": verdict}
    assert list(found["a"]["parts"]) == ["b", "a"]
    assert store.get_verdicts(["a"], identity_key({"name": "y"})) == {}


def test_an_identitys_key_does_not_depend_on_order() -> None:
    assert identity_key({"a": 1, "b": {"c": 2, "d": 3}}) == identity_key({"b": {"d": 3, "c": 2}, "a": 1})
    assert identity_key({"a": 1}) != identity_key({"a": 2})


def test_a_file_is_hashed_again_when_it_changes(store: EmbeddingStore, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"one")
    old = time.time() - 60
    os.utime(path, (old, old))
    first = store.digest(path)
    assert first == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert store.digest(path) == first
    # The same size and the same second, but another inode or another time.
    path.write_bytes(b"two")
    assert store.digest(path) != first


def test_the_hash_of_a_settled_file_is_remembered(
    store: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    path = tmp_path / "song.wav"
    path.write_bytes(b"one")
    reads = []
    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: reads.append(args) or original(*args))
    # A file written this very moment may change again within the same time stamp.
    store.digest(path)
    store.digest(path)
    assert len(reads) == 2
    old = time.time() - 60
    os.utime(path, (old, old))
    store.digest(path)
    store.digest(path)
    assert len(reads) == 3


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_an_error(store: EmbeddingStore, tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(OSError):
        store.digest(path)


def test_another_kind_of_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but precious" * 100)
    with pytest.raises(UsageError, match="not an embedding cache"):
        EmbeddingStore(path)
    assert path.read_text().startswith("not a database")


def test_readers_see_what_a_writer_writes(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    EmbeddingStore(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with EmbeddingStore(path) as writer, EmbeddingStore(path) as reader:
        writer.put("a", "e", np.ones(3))
        assert reader.get("a", "e") is not None


def test_threads_share_one_store(store: EmbeddingStore) -> None:
    def work(number: int) -> None:
        for row in range(40):
            store.put(f"{number}-{row}", "e", np.full(8, number))
            store.get(f"{number}-{row}", "e")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 240


WRITER = """
import sys
import numpy as np
from pathlib import Path
from optimizer.scoring.cache import EmbeddingStore
store = EmbeddingStore(Path(sys.argv[1]))
for number in range(1_000_000):
    store.put(f"{number:064x}", "e", np.full(1024, number))
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_has_finished(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 100:
            break
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.stdout.close()
    writer.wait()
    said = int(rest[-1]) if rest else 100
    with EmbeddingStore(path) as store:
        assert said + 1 <= len(store) <= said + 2
        for number in range(said + 1):
            found = store.get(f"{number:064x}", "e")
            assert found is not None and found.shape == (1024,) and (found == number).all()

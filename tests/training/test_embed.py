"""Corpora become embeddings once, whatever breaks meanwhile."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.training.corpus import read_corpus
from optimizer.training.data import read_data
from optimizer.training.embed import embed, open_space


def failures(out):
    return list(csv.DictReader((out / "failures.csv").read_text().splitlines()))


def test_broken_files_are_listed_and_stop_nothing(corpus_folder, tmp_path):
    out = tmp_path / "out"
    told = []
    info = embed(
        read_corpus(corpus_folder), out, open_space("acoustic", {}, jobs=2), on_progress=lambda *a: told.append(a)
    )
    assert info["count"] == 38 and info["failed"] == 2 and info["heard"] == 38
    assert {Path(row["path"]).name for row in failures(out)} == {"038.wav", "039.mp3"}
    assert all(row["reason"] for row in failures(out))
    data = read_data(out)
    assert data.vectors.shape == (38, data.vectors.shape[1]) and set(data.column("label")) == {"a", "b"}
    assert told[-1][:2] == (40, 40) and told[-1][2] == 0.0


def test_a_second_run_hears_only_what_is_new(corpus_folder, tmp_path, write_audio):
    out = tmp_path / "out"
    embed(read_corpus(corpus_folder), out, open_space("acoustic", {}))
    first = (out / "embeddings.npy").read_bytes()
    again = embed(read_corpus(corpus_folder), out, open_space("acoustic", {}))
    # The two broken files have nothing to remember and are tried again, and again not heard.
    assert (again["heard"], again["failed"]) == (0, 2) and (out / "embeddings.npy").read_bytes() == first
    write_audio(corpus_folder / "a" / "zz.wav", seconds=1.0, seed=99)
    assert embed(read_corpus(corpus_folder), out, open_space("acoustic", {}))["count"] == 39


KILLED = """
import os, signal, sys
from pathlib import Path
from optimizer.training.corpus import read_corpus
from optimizer.training.embed import embed, open_space
def stop(done, *rest):
    if done == 15:
        os.kill(os.getpid(), signal.SIGKILL)
embed(read_corpus(Path(sys.argv[1])), Path(sys.argv[2]), open_space("acoustic", {}), on_progress=stop)
"""


def test_a_killed_run_goes_on_to_the_file(corpus_folder, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    embed(read_corpus(corpus_folder), whole, open_space("acoustic", {}))
    command = [sys.executable, "-c", KILLED, str(corpus_folder), str(killed)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (killed / "embedding.json").exists()
    info = embed(read_corpus(corpus_folder), killed, open_space("acoustic", {}))
    assert info["heard"] == 23
    assert (killed / "embeddings.npy").read_bytes() == (whole / "embeddings.npy").read_bytes()


def test_another_encoder_is_refused(corpus_folder, tmp_path, mert_folder):
    out = tmp_path / "out"
    embed(read_corpus(corpus_folder), out, open_space("acoustic", {}))
    with pytest.raises(UsageError, match="holds embeddings of acoustic-1"):
        embed(read_corpus(corpus_folder), out, open_space(str(mert_folder), {}))


def test_batches_of_songs_change_next_to_nothing(corpus_folder, tmp_path, mert_folder):
    vectors = []
    for batch in (1, 8):
        out = tmp_path / f"batch-{batch}"
        info = embed(read_corpus(corpus_folder / "b"), out, open_space(str(mert_folder), {}, jobs=2, batch=batch))
        assert info["count"] == 19 and info["failed"] == 1 and info["encoder"].startswith("mert@sha256:")
        vectors.append(np.load(out / "embeddings.npy"))
    assert np.allclose(*vectors, atol=1e-5)


@pytest.mark.parametrize("kind", ["csv", "parquet", "metadata.csv"])
def test_tables_of_paths(tmp_path, write_audio, kind):
    for number in range(3):
        write_audio(tmp_path / "audio" / f"{number}.wav", seconds=1.0, seed=number)
    names = [f"{number}.wav" for number in range(3)]
    if kind == "metadata.csv":
        pd.DataFrame({"file_name": names, "mood": [1.5, 2.5, 3.5]}).to_csv(tmp_path / "audio" / kind, index=False)
        corpus = read_corpus(tmp_path / "audio")
    else:
        table = pd.DataFrame({"path": [f"audio/{name}" for name in names], "mood": [1.5, 2.5, 3.5]})
        path = tmp_path / f"table.{kind}"
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
        corpus = read_corpus(path)
    embed(corpus, tmp_path / "out", open_space("acoustic", {}))
    assert list(read_data(tmp_path / "out").column("mood")) == [1.5, 2.5, 3.5]


def test_audio_within_parquet(tmp_path, write_audio):
    audio = [write_audio(tmp_path / f"{number}.wav", seconds=1.0, seed=number).read_bytes() for number in range(3)]
    (tmp_path / "set").mkdir()
    rows = [{"audio": {"bytes": content, "path": None}, "label": number} for number, content in enumerate(audio)]
    pd.DataFrame(rows).to_parquet(tmp_path / "set" / "train-0.parquet")
    info = embed(read_corpus(tmp_path / "set"), tmp_path / "out", open_space("acoustic", {}))
    assert info["count"] == 3 and list(read_data(tmp_path / "out").column("label")) == [0, 1, 2]


def write_fma(folder, write_audio, ids):
    columns = [("track", "listens"), ("track", "genre_top"), ("artist", "id"), ("album", "id"), ("set", "subset")]
    rows = [[10 * number, "Rock", number % 3, number % 5, "small"] for number in range(1, len(ids) + 1)]
    table = pd.DataFrame(rows, index=pd.Index(ids, name="track_id"), columns=pd.MultiIndex.from_tuples(columns))
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / "tracks.csv")
    for number in ids[1:]:
        write_audio(folder / "fma_small" / f"{number // 1000:03d}" / f"{number:06d}.wav", seconds=1.0, seed=number)


def test_fma_leaves_known_bad_ids_out(tmp_path, write_audio):
    write_fma(tmp_path / "fma", write_audio, [2, 5, 10, 98565, 99134])
    corpus = read_corpus(tmp_path / "fma", subset="small")
    assert list(corpus.table["id"]) == [5, 10] and set(corpus.skipped) == {"2", "98565", "99134"}
    info = embed(corpus, tmp_path / "out", open_space("acoustic", {}))
    assert info["count"] == 2 and info["failed"] == 3
    assert list(read_data(tmp_path / "out").column("artist_id")) == [2, 0]


def test_the_published_layout_is_read_and_joined(tmp_path, write_audio):
    write_fma(tmp_path / "fma", write_audio, [2, 5, 99134])
    np.save(tmp_path / "embeddings.npy", np.ones((3, 4), dtype=np.float32))
    labels = [{"banger_score": 1.0, "genre": "Rock", "listens": 5}] * 3
    (tmp_path / "metadata.json").write_text(json.dumps({"track_ids": [2, 5, 98565], "labels": labels, "model": "m"}))
    data = read_data(tmp_path, tmp_path / "fma" / "tracks.csv")
    # 98565 was embedded, but it is no clip.
    assert list(data.column("id")) == [2, 5] and list(data.column("artist_id")) == [1, 2]
    assert data.info["encoder"] == "m"


def test_errors_name_what_is_wrong(tmp_path):
    with pytest.raises(UsageError, match="is not there"):
        read_corpus(tmp_path / "no")
    pd.DataFrame({"sound": ["a"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UsageError, match="no column with the audio's path"):
        read_corpus(tmp_path / "t.csv")


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory):
    """A study of two songs, which nobody changes."""
    folder = tmp_path_factory.mktemp("runs")
    words = "--genre rock --trials 2 --duration 1 --renderer synth --scorer acoustic --progress none --runs-dir"
    done = CliRunner().invoke(app, [*words.split(), str(folder)])
    assert done.exit_code == 0, done.output
    return folder / "rock"


def test_a_study_is_not_heard_twice(run_of_two, tmp_path):
    corpus = read_corpus(run_of_two)
    info = embed(corpus, tmp_path / "out", open_space("acoustic", {}))
    assert info["heard"] == 0 and info["count"] == 2 and info["kind"] == "study"
    assert set(read_data(tmp_path / "out").column("genre")) == {"rock"}


def test_broken_files_of_equal_bytes_are_told_by_their_own_names(tmp_path, mert_folder, write_audio):
    folder = tmp_path / "songs"
    write_audio(folder / "m.wav", seconds=1.0, seed=1)
    for name in ("a.wav", "b.wav", "z.wav"):
        (folder / name).write_bytes(b"RIFF, but no more")
    for number, encoder in enumerate(("acoustic", str(mert_folder))):
        embed(read_corpus(folder), tmp_path / str(number), open_space(encoder, {}))
        told = failures(tmp_path / str(number))
        assert [Path(row["path"]).name for row in told] == ["a.wav", "b.wav", "z.wav"]
        assert not any(name in row["reason"] for row in told for name in ("a.wav", "b.wav", "z.wav"))


OWN = {"table.csv": "path,label,notes\n000.wav,a,mine\n", "failures.csv": "mine", "embeddings.npy": "mine"}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("verb", ["embed", "dataset"])
def test_ones_own_files_are_not_overwritten(tmp_path, write_audio, verb, name):
    folder = tmp_path / "corp"
    write_audio(folder / "000.wav", seconds=1.0)
    (folder / name).write_text(OWN[name])
    source = folder / name if name == "table.csv" else folder
    words = {"embed": ["embed", str(source)], "dataset": ["dataset", "build", "--classes", "pop,rock"]}[verb]
    done = CliRunner().invoke(app, [*words, "--encoder", "acoustic", "--out", str(folder)])
    with pytest.raises(UsageError, match=rf"holds a {name} that no embedding wrote.*\n.*another folder with --out"):
        raise done.exception
    # Nothing was heard, and nothing lies there that would pass for an embedding in progress.
    assert {file.name for file in folder.iterdir()} == {"000.wav", name}
    assert (folder / name).read_text() == OWN[name]
    if verb == "embed":
        assert embed(read_corpus(source), tmp_path / "out", open_space("acoustic", {}))["count"] == 1


@pytest.mark.parametrize("fatal", ["failures.csv", "embeddings.npy", "table.csv", "embedding.json", None])
def test_a_studys_embedding_goes_on_from_wherever_it_was_killed(run_of_two, tmp_path, monkeypatch, fatal):
    from optimizer.training import embed as embedding

    out, corpus = tmp_path / "out", read_corpus(run_of_two)
    written, unlinked = embedding.write_atomic, Path.unlink

    def killed(path, content):
        # After the file, not before: what is there then, and only then, is what it must be known by.
        written(path, content)
        if path.name == fatal:
            raise RuntimeError("killed")

    def kept(path, **options):
        if path.name == ".embedding":
            raise RuntimeError("killed")
        unlinked(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "write_atomic", killed)
        patch.setattr(Path, "unlink", kept)
        with pytest.raises(RuntimeError, match="killed"):
            embed(corpus, out, open_space("acoustic", {}))
    if fatal not in ("embedding.json", None):
        with pytest.raises(UsageError, match="is an embedding in progress"):
            read_data(out)
    assert embed(corpus, out, open_space("acoustic", {}))["count"] == 2
    assert {file.name for file in out.iterdir()} == {"embeddings.npy", "table.csv", "failures.csv", "embedding.json"}

"""Corpora as others lay them out, and what is wrong with them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from typer.testing import CliRunner

from optimizer.cli.embed import eta, spell
from optimizer.cli.main import app
from optimizer.errors import MissingPrerequisite, NoSongs, StorageFull, UsageError
from optimizer.scoring.cache import EmbeddingStore
from optimizer.training import embed as embedding
from optimizer.training import packed
from optimizer.training.corpus import read_corpus, read_frame
from optimizer.training.data import read_data
from optimizer.training.embed import embed, open_space


def hear(corpus, out, **options):
    return embed(corpus, out, open_space("acoustic", {}), **options)


def reasons(out):
    return {
        row["path"] or row["id"]: row["reason"]
        for row in csv.DictReader((out / "failures.csv").read_text().splitlines())
    }


AUDIO = pa.struct({"bytes": pa.binary(), "path": pa.string()})
CLASSES = {b"huggingface": json.dumps({"info": {"features": {
    "audio": {"_type": "Audio"}, "label": {"names": ["pop", "None"], "_type": "ClassLabel"}}}}).encode()}  # fmt: skip


def rows_of(songs):
    """An Arrow table as `datasets` has it: audio with content and path, a label by number, another thing in bytes."""
    rows = [{"bytes": content, "path": path} for content, path in songs]
    count = range(len(rows))
    columns = [pa.array(rows, AUDIO), pa.array([n % 2 for n in count]), pa.array([b"x" for _ in count])]
    return pa.table(columns, names=["audio", "label", "cover"]).replace_schema_metadata(CLASSES)


@pytest.fixture
def songs(tmp_path, write_audio):
    return [write_audio(tmp_path / "wav" / f"{n}.wav", seconds=1.0, rate=22_050, seed=n) for n in range(7)]


@pytest.mark.parametrize("layout", ["parquet", "file", "saved", "saved with splits"])
def test_rows_with_audio_are_read_a_few_at_a_time(tmp_path, songs, monkeypatch, layout):
    monkeypatch.setattr(packed, "ROWS", 2)
    table, folder = rows_of([(song.read_bytes(), None) for song in songs]), tmp_path / "set"
    folder.mkdir()
    if layout in ("parquet", "file"):
        pq.write_table(table.slice(0, 5), folder / "train-0.parquet", row_group_size=3)
        pq.write_table(table.slice(5), folder / "train-1.parquet")
    else:
        for split in ("test", "train") if "splits" in layout else ("",):
            (folder / split).mkdir(exist_ok=True)
            with pa.ipc.new_stream(str(folder / split / "data-00000-of-00001.arrow"), table.schema) as stream:
                stream.write_table(table, max_chunksize=3)
        # What a computation on the way left there.
        (folder / "cache-1234.arrow").write_bytes(b"none of it")
    out, lying = tmp_path / "out", []
    corpus = read_corpus(folder / "train-0.parquet" if layout == "file" else folder)
    assert "cover" not in corpus.table.columns and corpus.kind == "parquet"
    info = hear(corpus, out, on_progress=lambda *_: lying.append(len(list((out / ".audio").iterdir()))))
    count = {"file": 5, "saved with splits": 14}.get(layout, 7)
    assert info["count"] == count and info["heard"] == min(count, 7)
    assert max(lying) == 2 and not (out / ".audio").exists()
    data = read_data(out)
    # A class may be called None; the labels are written by name and read back as they were.
    assert list(data.column("label"))[:5] == ["pop", "None", "pop", "None", "pop"]
    assert hear(corpus, out)["heard"] == 0
    plain = tmp_path / "plain"
    hear(read_corpus(tmp_path / "wav"), plain)
    assert np.array_equal(data.vectors[:5], read_data(plain).vectors[:5])


KILLED = """
import os, signal, sys
from pathlib import Path
from optimizer.training import packed
from optimizer.training.corpus import read_corpus
from optimizer.training.embed import embed, open_space
packed.ROWS = 2
def stop(done, *rest):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
embed(read_corpus(Path(sys.argv[1])), Path(sys.argv[2]), open_space("acoustic", {}), on_progress=stop)
"""


def test_a_kill_between_packed_songs_costs_none_of_them(tmp_path, songs):
    table = rows_of([(song.read_bytes(), None) for song in songs])
    pq.write_table(table, tmp_path / "songs.parquet", row_group_size=3)
    out, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "songs.parquet"), str(out)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (out / ".audio").is_dir() and not (out / "embedding.json").exists()
    assert hear(read_corpus(tmp_path / "songs.parquet"), out)["heard"] == 4
    hear(read_corpus(tmp_path / "songs.parquet"), whole)
    for name in ("embeddings.npy", "table.csv", "failures.csv", "embedding.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert {file.name for file in out.iterdir()} == {file.name for file in whole.iterdir()}


def test_rows_with_paths_stay_within_the_data_set(tmp_path, songs):
    folder = tmp_path / "wav"
    pq.write_table(
        rows_of([(None, p) for p in ("0.wav", "../x.wav", "/etc/hosts", "no.wav", None)]), folder / "a.parquet"
    )
    info = hear(read_corpus(folder), tmp_path / "out")
    assert info["count"] == 1 and list(read_data(tmp_path / "out").column("path")) == [str(songs[0])]
    said = reasons(tmp_path / "out")
    assert "outside of the data set" in said[str(tmp_path / "x.wav")] and "outside" in said["/etc/hosts"]
    assert "No such file" in said[str(folder / "no.wav")]
    assert "neither audio nor a path" in said[str(folder / "a.parquet#4")]


def test_a_data_sets_metadata_stays_within_it_and_ones_own_table_need_not(tmp_path, songs, write_audio):
    outside = write_audio(tmp_path / "other" / "x.wav", seconds=1.0, rate=22_050)
    table = pd.DataFrame({"file_name": ["0.wav", "../other/x.wav", str(outside), None, " "], "n": range(5)})
    table.to_csv(tmp_path / "wav" / "metadata.csv", index=False)
    corpus = read_corpus(tmp_path / "wav")
    assert corpus.table["path"].tolist() == [str(songs[0])]
    assert ["outside" in corpus.skipped[n] for n in "12"] == [True, True]
    assert [corpus.skipped[n] for n in "34"] == ["its row names no file"] * 2
    assert len(read_corpus(tmp_path / "wav" / "metadata.csv").table) == 3
    table.rename(columns={"file_name": "path"}).to_parquet(tmp_path / "wav" / "own.parquet")
    assert read_corpus(tmp_path / "wav" / "own.parquet").table["path"].tolist()[1:] == [str(outside)] * 2


def break_files(folder, whole):
    folder.mkdir()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("hello")
    (folder / "half.flac").write_bytes(whole.read_bytes()[:1500])
    soundfile.write(folder / "silent.wav", np.zeros(22_050), 22_050)
    soundfile.write(folder / "nan.wav", np.full(22_050, np.nan, np.float32), 22_050, subtype="FLOAT")
    soundfile.write(folder / "short.wav", np.sin(np.arange(4410)), 22_050)
    header = bytearray((folder / "short.wav").read_bytes())
    header[22:24] = b"\0\0"
    (folder / "channels.wav").write_bytes(header)


def test_every_broken_file_has_its_reason(tmp_path, write_audio, capsys):
    whole = write_audio(tmp_path / "whole.flac", seconds=1.0)
    break_files(tmp_path / "broken", whole)
    paths = sorted((tmp_path / "broken").iterdir())
    pd.DataFrame({"path": [whole, *paths, tmp_path, tmp_path / "no.wav"]}).to_csv(tmp_path / "t.csv", index=False)
    said = []
    info = hear(read_corpus(tmp_path / "t.csv"), tmp_path / "out", on_progress=lambda *a: said.append(a))
    assert (info["count"], info["failed"]) == (1, len(paths) + 2)
    found = {Path(path).name: reason for path, reason in reasons(tmp_path / "out").items()}
    words = {"empty.wav": "0 bytes", "silent.wav": "silent", "nan.wav": "not numbers", "short.wav": "lasts 0.20 s",
             "no.wav": "No such file", tmp_path.name: "not a regular file"}  # fmt: skip
    for name, word in words.items():
        assert word in found[name], name
    assert set(found) == {*words, "text.mp3", "half.flac", "channels.wav"}
    # A reason does not say the path again, and progress names every failure once.
    assert not any(str(tmp_path) in reason for reason in found.values())
    assert sorted(a[3].partition(": ")[0] for a in said if a[3]) == sorted(reasons(tmp_path / "out"))
    assert said[-1][:3] == (len(paths) + 3, len(paths) + 3, 0.0)


def test_no_song_at_all_is_told_by_the_exit_code(tmp_path, write_audio):
    break_files(tmp_path / "broken", write_audio(tmp_path / "whole.flac", seconds=1.0))
    words = ["embed", str(tmp_path / "broken"), "--out", str(tmp_path / "out"), "--encoder", "acoustic"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, NoSongs) and done.exception.exit_code == 5
    assert "not one of 7 songs" in str(done.exception) and "failures.csv" in str(done.exception)


def test_a_full_disk_is_called_so(tmp_path, songs, monkeypatch):
    store = EmbeddingStore(tmp_path / "small.db")
    store._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFull, match="the disk is full"):
        store.put("a", "e", np.zeros(100_000))
    store.close()
    folder = tmp_path / "set"
    folder.mkdir()
    pq.write_table(rows_of([(song.read_bytes(), None) for song in songs]), folder / "a.parquet")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(StorageFull, match="the disk is full"):
            hear(read_corpus(folder), tmp_path / "out")
    assert hear(read_corpus(folder), tmp_path / "out")["count"] == 7


def test_an_embedding_in_progress_is_not_taken_for_whole(tmp_path, songs):
    out = tmp_path / "out"
    hear(read_corpus(tmp_path / "wav"), out)
    before = read_data(out)
    songs[0].unlink()
    # Killed between the vectors and the table: the old table would have met the new vectors.
    written = embedding.write_atomic
    with pytest.MonkeyPatch.context() as patch:

        def killed(path, content):
            if path.name == "table.csv":
                raise RuntimeError("killed")
            written(path, content)

        patch.setattr(embedding, "write_atomic", killed)
        with pytest.raises(RuntimeError):
            hear(read_corpus(tmp_path / "wav"), out)
    with pytest.raises(UsageError, match=r"in progress[^\n]*\n.*optimize embed"):
        read_data(out)
    assert hear(read_corpus(tmp_path / "wav"), out)["heard"] == 0
    assert np.array_equal(read_data(out).vectors, before.vectors[1:])
    (out / "embedding.json").write_text("{")
    with pytest.raises(UsageError, match=r"embedding.json is damaged"):
        hear(read_corpus(tmp_path / "wav"), out)
    with pytest.raises(UsageError, match=r"cannot be made.*\n.*--out"):
        hear(read_corpus(tmp_path / "wav"), songs[1] / "out")


def study_of(tmp_path):
    words = "--genre rock --trials 2 --duration 1 --renderer synth --scorer acoustic --progress none --runs-dir"
    done = CliRunner().invoke(app, [*words.split(), str(tmp_path)])
    assert done.exit_code == 0, done.output


def test_a_study_shares_what_was_heard(tmp_path, mert_folder, monkeypatch):
    from optimizer.runs import RunDirectory
    from optimizer.scoring import prepare
    from optimizer.scoring.batch import rescore
    from optimizer.scoring.ear import MertEar
    from optimizer.study import read_record
    from optimizer.training.regress import train_regression

    study_of(tmp_path)
    mert = open_space(str(mert_folder), {})
    assert embed(read_corpus(tmp_path / "rock"), tmp_path / "out", mert)["heard"] == 2
    # A head on that encoder judges the study without hearing it again.
    rng = np.random.default_rng(0)
    data = read_data(tmp_path / "out")
    table = pd.DataFrame({"id": range(40), "label": rng.uniform(0, 10, 40)})
    many = type(data)(rng.standard_normal((40, data.vectors.shape[1])).astype(np.float32), table, data.info, tmp_path)
    train_regression(many, ["label"], tmp_path / "head", recipe="ridge", rounds=5)
    heard = []
    monkeypatch.setattr(MertEar, "stream", lambda self, paths: iter(heard.extend(paths) or ()))
    run = RunDirectory(tmp_path / "rock")
    spec = prepare(str(tmp_path / "head"), {"encoder": str(mert_folder)})
    with EmbeddingStore(run.embeddings) as store:
        scores = rescore(read_record(run).songs, spec, store)
    assert [one.error for one in scores] == [None, None] and not heard
    # A song whose audio is gone is still remembered by its run; one that no ear heard is listed.
    for song in (tmp_path / "rock" / "songs").glob("*.flac"):
        song.unlink()
    gone = read_corpus(tmp_path / "rock")
    assert embed(gone, tmp_path / "out", mert)["count"] == 2
    with pytest.raises(NoSongs, match="its audio is not here"):
        embed(gone, tmp_path / "other", open_space(str(mert_folder), {"window": "middle"}))
    # Nothing of this machine's paths came into the run.
    with EmbeddingStore(run.embeddings) as store:
        assert store._connection.execute("SELECT COUNT(*) FROM files").fetchone()[0] == 0


def test_fma_tables_that_are_not_fmas(tmp_path, songs):
    with pytest.raises(UsageError, match=r"--subset small is of FMA.*\n.*Leave --subset out"):
        read_corpus(tmp_path / "wav", subset="small")
    tracks = tmp_path / "wav" / "tracks.csv"
    columns = pd.MultiIndex.from_tuples([("track", "listens"), ("track", "genre_top")])
    pd.DataFrame([[1, "Rock"]], index=pd.Index([0], name="track_id"), columns=columns).to_csv(tracks)
    with pytest.raises(UsageError, match=r"subset 'smal' must be one of.*Did you mean 'small'"):
        read_corpus(tmp_path / "wav", subset="smal")
    with pytest.raises(UsageError, match=r"no column \('set', 'subset'\)"):
        read_corpus(tmp_path / "wav", subset="small")
    # A Mac's twin of a file is no track.
    (tmp_path / "wav" / "._0.wav").write_bytes(b"mac")
    assert list(read_corpus(tmp_path / "wav").table["id"]) == [0]
    pd.DataFrame([[1, "Rock"]], index=pd.Index(["a"], name="track_id"), columns=columns).to_csv(tracks)
    with pytest.raises(UsageError, match="first column must hold FMA's track numbers"):
        read_corpus(tmp_path / "wav")


def test_progress_says_what_is_left(capsys, monkeypatch):
    assert [spell(s) for s in (40, 99.6, 720, 11_100)] == ["40 s", "100 s", "12 min", "3 h 05 min"]
    show = eta()
    for done in range(1, 4):
        show(done, 3, 60.0 * (3 - done), "x.wav: is silent" if done == 2 else None)
    assert capsys.readouterr().err.splitlines() == ["1/3, 2 min left", "x.wav: is silent", "3/3"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    show = eta()
    show(1, 2, 12.0, "x.wav: is silent")
    show(2, 2, 0.0, None)
    assert capsys.readouterr().err == "\r\033[Kx.wav: is silent\n\r1/2, 12 s left\033[K\r2/2\033[K\n"


def test_an_interrupted_embedding_says_how_to_go_on(tmp_path, songs, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(embedding, "embed", stop)
    done = CliRunner().invoke(
        app, ["embed", str(tmp_path / "wav"), "--out", str(tmp_path / "o"), "--encoder", "acoustic"]
    )
    assert done.exception.exit_code == 130 and "the same command goes on" in str(done.exception)


def test_a_table_without_rows_is_told_in_one_line(tmp_path):
    (tmp_path / "hdr.csv").write_text("path,label\n")
    with pytest.raises(UsageError, match=r"hdr\.csv has no rows.*\n.*a row for each song") as caught:
        read_corpus(tmp_path / "hdr.csv")
    assert caught.value.exit_code == 2
    (tmp_path / "set").mkdir()
    (tmp_path / "hdr.csv").replace(tmp_path / "set" / "metadata.csv")
    with pytest.raises(UsageError, match="holds no audio"):
        read_corpus(tmp_path / "set")


@pytest.mark.parametrize("name", ["latin.csv", "latin.jsonl", "tracks.csv"])
def test_text_that_is_not_utf8_is_called_so(tmp_path, name):
    text = '{"path": "caf\xe9.wav"}\n' if name.endswith("jsonl") else "path,label\ncaf\xe9.wav,a\n"
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    corpus = tmp_path if name == "tracks.csv" else tmp_path / name
    with pytest.raises(UsageError, match=rf"{name} is not UTF-8 text.*\n.*iconv -f LATIN1 -t UTF-8"):
        read_corpus(corpus)


def test_a_table_that_is_not_there_is_told(tmp_path):
    for name in ("no.csv", "no.parquet", "no.jsonl"):
        with pytest.raises(UsageError, match=rf"{name} is not there\."):
            read_frame(tmp_path / name)


def test_what_looks_like_audio_and_is_none_is_listed(tmp_path, songs):
    folder = tmp_path / "wav"
    (folder / "bad_link.wav").symlink_to(tmp_path / "nowhere.wav")
    (folder / "good_link.wav").symlink_to(songs[0])
    os.mkfifo(folder / "p.wav")
    (folder / "folder.wav").mkdir()
    info = hear(read_corpus(folder), tmp_path / "out")
    assert (info["count"], info["failed"]) == (8, 2)
    said = {Path(name).name: reason for name, reason in reasons(tmp_path / "out").items()}
    assert set(said) == {"bad_link.wav", "p.wav"}
    assert "a link to a file that is not there" in said["bad_link.wav"] and "not a regular file" in said["p.wav"]


@pytest.mark.parametrize("word", ["acustic", "Acoustic", "mret"])
def test_a_misspelt_encoder_is_told_the_one_that_was_meant(word):
    meant = "mert" if word == "mret" else "acoustic"
    with pytest.raises(UsageError, match=rf"encoder '{word}' must be acoustic, mert, .* Did you mean '{meant}'\?"):
        open_space(word, {})
    # A Hub id that is not here is no misspelling.
    with pytest.raises(MissingPrerequisite):
        open_space("somebody/some-model", {})


def test_a_kill_while_writing_leaves_nothing_behind(tmp_path, songs):
    out = tmp_path / "out"
    out.mkdir()
    for name in (".table.csv.123.tmp", ".embeddings.npy.9.tmp", ".embedding.json.77.tmp", ".failures.csv.1.tmp"):
        (out / name).write_text("half of i")
    (out / ".mine.tmp").write_text("mine")
    hear(read_corpus(tmp_path / "wav"), out)
    assert sorted(file.name for file in out.glob(".*")) == [".mine.tmp"]


def test_ids_that_songs_share_are_told(tmp_path, songs):
    pd.DataFrame({"id": [1, 1, 2, 2, 2, 3, 4], "path": songs}).to_csv(tmp_path / "t.csv", index=False)
    done = CliRunner().invoke(
        app, ["embed", str(tmp_path / "t.csv"), "--out", str(tmp_path / "o"), "--encoder", "acoustic"]
    )
    assert done.exit_code == 0 and "note: 2 ids are those of several songs (5 of 7), the first of them 1" in done.stderr
    assert "7 heard now" in done.stdout
    assert json.loads((tmp_path / "o" / "embedding.json").read_text())["notes"][0].startswith("2 ids are")


@pytest.mark.parametrize("seconds", ["0.2", "0.49"])
def test_clips_too_short_to_be_heard_are_refused_before_they_are_made(tmp_path, seconds):
    out = tmp_path / "out"
    words = ["dataset", "build", "--duration", seconds, "--per-class", "2", "--classes", "pop,rock", "--out", str(out)]
    with pytest.raises(UsageError, match=rf"--duration {seconds} must be 0\.5 to 600 .*\n.*--duration 0\.5"):
        raise CliRunner().invoke(app, [*words, "--encoder", "acoustic"]).exception
    assert not out.exists()

"""What can be wrong with what is to be learnt, and how it is said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.training import head, network
from optimizer.training.data import Data, read_data
from optimizer.training.labels import within_group_rank
from optimizer.training.regress import train_regression


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(head, "PUBLISHED", network.Recipe(hidden=(8,), epochs=3))


@pytest.fixture
def make(write_data, tmp_path):
    """Return a function that writes embeddings of songs with given columns."""

    def write(n=30, **columns):
        vectors = np.random.default_rng(0).standard_normal((n, 8)).astype(np.float32)
        return write_data(tmp_path / "data", vectors, pd.DataFrame({"id": np.arange(n) + 2, **columns}))

    return write


def train(folder, out, *words):
    done = CliRunner().invoke(app, ["train", "--data", str(folder), "--out", str(out), *words])
    if done.exception is not None:
        raise done.exception
    return done


def write_tracks(path, ids, artist=lambda number: number // 3):
    columns = [("track", "listens"), ("track", "genre_top"), ("artist", "id")]
    rows = [[10 * number, "Rock", artist(number)] for number in ids]
    table = pd.DataFrame(rows, index=pd.Index(ids, name="track_id"), columns=pd.MultiIndex.from_tuples(columns))
    table.to_csv(path)
    return path


WRONG = {
    "constant": ({"y": np.full(30, 4.0)}, r"'y' gives 30 labels of 30 songs, all 4; 10 that are not all the same"),
    "none": ({"y": np.full(30, np.nan)}, r"'y' gives 0 labels of 30 songs; 10"),
    "few": ({"y": [1.0, 2.0] * 4 + [np.nan] * 22}, r"'y' gives 8 labels of 30 songs, of 2 values; 10"),
    "text": ({"y": ["good", "bad"] * 15}, r"'y' holds no numbers.*good"),
    "misspelt": ({"yy": np.arange(30)}, r"has no column 'y'.*Did you mean 'yy'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_targets_that_teach_nothing(make, tmp_path, case):
    columns, message = WRONG[case]
    with pytest.raises(UsageError, match=message) as caught:
        train(make(**columns), tmp_path / "out", "--target", "y", "--recipe", "ridge")
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert not (tmp_path / "out").exists()


def test_songs_without_a_label_are_left_out(make, tmp_path):
    y = np.where(np.arange(40) % 4 == 0, np.nan, np.arange(40) / 5)
    done = train(make(40, y=y), tmp_path / "out", "--target", "y", "--recipe", "ridge", "--json")
    assert json.loads(done.stdout)["songs"] == 30
    train(make(40, y=[f"{v}" if v == v else "" for v in y]), tmp_path / "text", "--target", "y", "--recipe", "ridge")


def test_a_group_that_is_not_there_is_joined_from_fma(make, tmp_path):
    folder, words = make(y=np.arange(30) / 5), ["--target", "y", "--recipe", "ridge", "--group", "artist_id"]
    with pytest.raises(UsageError, match=r"no column 'artist_id'") as caught:
        train(folder, tmp_path / "out", *words)
    assert "--tracks tracks.csv" in caught.value.next_step
    tracks = write_tracks(tmp_path / "tracks.csv", range(2, 20))
    done = train(folder, tmp_path / "out", *words, "--tracks", str(tracks), "--json")
    # Tracks 2 to 19 are of seven artists; the twelve that the table does not know are each their own.
    assert json.loads(done.stdout)["groups"] == 7 + 12
    write_tracks(tracks, range(500, 510))
    with pytest.raises(UsageError, match=r"not one of the 30 ids .* is a track of .*; the first is 2"):
        train(folder, tmp_path / "out", *words, "--tracks", str(tracks))


def test_one_group_alone_cannot_be_split(make, tmp_path):
    with pytest.raises(UsageError, match=r"needs 3 groups or more; there are 1") as caught:
        train(make(y=np.arange(30), g=["a"] * 30), tmp_path / "out", "--target", "y", "--group", "g")
    assert "--group" in caught.value.next_step


@pytest.mark.parametrize("n", [12, 92, 93, 94])
def test_any_number_of_songs_can_be_learnt_from(make, tmp_path, n):
    # 12 are fewer than a batch; of 93 the training part is 65, which leaves a batch of one for the batch norm.
    assert int(0.7 * 93) == 65
    rng = np.random.default_rng(1)
    card = train_regression(read_data(make(n, y=rng.uniform(0, 10, n))), ["y"], tmp_path / "out", recipe="published",
                            rounds=5)["y"]  # fmt: skip
    assert card["splits"]["random"]["training"]["epochs"] == [3]


def test_a_later_target_is_looked_at_before_the_first_is_learnt(make, tmp_path):
    epochs = []
    with pytest.raises(UsageError, match="no column 'z'"):
        train_regression(read_data(make(y=np.arange(30))), ["y", "z"], tmp_path / "out", recipe="published",
                         on_epoch=lambda *a: epochs.append(a))  # fmt: skip
    assert not epochs
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be made.*\n.*--out"):
        train_regression(read_data(make(y=np.arange(30))), ["y"], tmp_path / "file" / "out", recipe="ridge")


def test_a_song_without_a_play_count_leaves_the_others_their_rank():
    ranks = within_group_rank(np.array([5, np.nan, 50, 1]), np.array(["a", "a", "a", "b"]))
    assert ranks.tolist() == pytest.approx([2.5, np.nan, 7.5, 5.0], nan_ok=True)


def test_rows_without_a_group_are_each_their_own():
    table = pd.DataFrame({"g": ["a", None, "a", np.nan], "n": [1.0, np.nan, 1.0, 2.0]})
    data = Data(np.zeros((4, 2), np.float32), table)
    assert len(set(data.groups("g"))) == 3 and len(set(data.groups("n"))) == 3
    assert data.groups("g")[0] == data.groups("g")[2] == "a"


def test_embeddings_that_cannot_be_read_say_why(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    np.save(folder / "embeddings.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(UsageError, match=r"has neither table.csv nor metadata.json.*\n.*optimize embed"):
        read_data(folder)
    for text, reason in {"{": "Expecting property name", "[]": "it holds a list"}.items():
        (folder / "metadata.json").write_text(text)
        with pytest.raises(UsageError, match=rf"metadata.json cannot be read: .*{reason}"):
            read_data(folder)
    (folder / "metadata.json").write_text('{"track_ids": [1, 2]}')
    with pytest.raises(UsageError, match="is not the published layout"):
        read_data(folder)
    (folder / "metadata.json").write_text('{"track_ids": [1, 2], "labels": [{"a": 1}, {"a": 2}]}')
    with pytest.raises(UsageError, match=r"has shape \(3, 4\); its table has 2 rows"):
        read_data(folder)
    with pytest.raises(UsageError, match=r"cannot be read.*\n.*optimize embed"):
        read_data(tmp_path)
    (tmp_path / "run.toml").write_text("")
    with pytest.raises(UsageError, match=r"is a run, not embeddings.*\n.*optimize embed"):
        read_data(tmp_path)


def test_embeddings_in_parquet_are_read_as_they_are_published(tmp_path):
    rows = [{"track_id": 140 + n, "embedding": [float(n), 1.0], "genre": "Rock", "listens": n} for n in range(4)]
    for part in range(2):
        pd.DataFrame(rows[2 * part : 2 * part + 2]).to_parquet(tmp_path / f"train-{part}.parquet")
    data = read_data(tmp_path)
    assert data.vectors.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]] and data.vectors.dtype == np.float32
    assert data.column("id").tolist() == [140, 141, 142, 143] and "embedding" not in data.table
    write_tracks(tmp_path / "tracks.csv", range(140, 150))
    assert read_data(tmp_path, tmp_path / "tracks.csv").column("artist_id").tolist() == [46, 47, 47, 47]
    pd.DataFrame([{"embedding": [1.0]}]).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="must hold lists of numbers, all as long"):
        read_data(tmp_path)
    for file in tmp_path.glob("*.parquet"):
        file.unlink()
    pd.DataFrame(rows).drop(columns="embedding").to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"has no column with embeddings; it has track_id"):
        read_data(tmp_path)

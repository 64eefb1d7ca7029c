"""Embedded songs are judged by their embeddings, and a judgement says what its head has learnt from."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import platformdirs
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.scoring import prepare
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.heads import open_head
from optimizer.training.classifier import judge_folder, open_classifier
from optimizer.training.classify import train_classifier
from optimizer.training.corpus import read_corpus
from optimizer.training.data import read_data
from optimizer.training.embed import embed, open_space
from optimizer.training.judged import by_heads, by_spec
from optimizer.training.pairs import read_pairs
from optimizer.training.pairwise import train_pairwise
from optimizer.training.regress import train_regression
from optimizer.training.seen import seen, warning


def run(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def published(tmp_path):
    """The published layout: embeddings of an encoder that is not here, and no audio."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 8)).astype(np.float32)
    folder = tmp_path / "published"
    folder.mkdir()
    np.save(folder / "embeddings.npy", vectors)
    labels = [{"banger_score": float(5 + vector[0])} for vector in vectors]
    document = {"track_ids": list(range(500, 560)), "labels": labels, "model": "m-a-p/MERT-v1-330M"}
    (folder / "metadata.json").write_text(json.dumps(document))
    train_regression(read_data(folder), ["banger_score"], tmp_path / "head", recipe="ridge", rounds=10)
    ids = rng.integers(500, 560, (2, 40))
    pairs = pd.DataFrame({"a_id": ids[0], "b_id": ids[1], "winner": "a"})[ids[0] != ids[1]]
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    return folder


def test_published_embeddings_are_judged_without_audio_and_without_the_encoder(published, tmp_path):
    words = ("--data", published, "--scorer", tmp_path / "head")
    found = json.loads(run("evaluate", "--pairs", tmp_path / "pairs.csv", *words, "--json"))
    data, head = read_data(published), open_head(tmp_path / "head")
    worth = dict(zip(data.column("id"), [head.judge(vector)[0] for vector in data.vectors], strict=True))
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    gaps = np.array([worth[a] - worth[b] for a, b in zip(pairs["a_id"], pairs["b_id"], strict=True)])
    assert found["accuracy"][0] == pytest.approx(np.mean((np.sign(gaps) + 1) / 2), abs=1e-6)
    curve = json.loads(run("evaluate", *words, "--judge", tmp_path / "head", "--json"))
    assert curve["songs"] == 60
    assert curve["curve"][1]["oracle"] == pytest.approx(curve["curve"][1]["judge"][0], abs=1e-6)
    with pytest.raises(UsageError, match=r"acoustic does not judge the embeddings of .*no column 'path'"):
        run("evaluate", "--pairs", tmp_path / "pairs.csv", "--data", published, "--scorer", "acoustic")


def test_what_is_embedded_is_not_heard_again(tmp_path, write_audio, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_: tmp_path / "cache")
    files = [write_audio(tmp_path / "songs" / f"{n}.wav", seconds=1.0, seed=n) for n in range(12)]
    table = pd.DataFrame({"path": map(str, files), "label": np.linspace(0, 10, 12)})
    table.to_csv(tmp_path / "songs.csv", index=False)
    embed(read_corpus(tmp_path / "songs.csv"), tmp_path / "em", open_space("acoustic", {}))
    data = read_data(tmp_path / "em")
    train_regression(data, ["label"], tmp_path / "head", recipe="ridge", rounds=10)
    pairs = pd.DataFrame({"a_path": table["path"][:6], "b_path": table["path"][6:].tolist(), "winner": "b"})
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    words = ("evaluate", "--pairs", tmp_path / "pairs.csv", "--data", tmp_path / "em", "--json", "--scorer")
    by_audio = json.loads(run(*words, f"acoustic+{tmp_path / 'head'}"))
    # A judge of another kind has to hear; what the embedding heard stays where it is.
    assert by_audio["trained_on"]["head"]["songs"] == 12
    assert not (tmp_path / "cache" / "heard.db").exists()
    direct, _ = by_heads(str(tmp_path / "head"), data, {})
    spec = prepare(str(tmp_path / "head"))
    assert direct(data.vectors) == pytest.approx(by_spec(spec, data)(data.vectors))
    weighted, _ = by_heads(f"{tmp_path / 'head'}:3", data, {"window": "first"})
    assert weighted(data.vectors) == pytest.approx(direct(data.vectors))
    for options in ({"window": "middle"}, {"dtype": "bfloat16"}, {"head": "x"}):
        assert by_heads(str(tmp_path / "head"), data, options) is None
    for file in files:
        file.unlink()
    assert json.loads(run(*words, tmp_path / "head"))["pairs"] == 6
    with EmbeddingStore(tmp_path / "em" / "embeddings.db") as store:
        assert len(store) == 12


def test_a_head_says_which_songs_it_was_trained_on(published, tmp_path):
    data = read_data(published)
    split = pd.read_csv(tmp_path / "head" / "split.csv")
    assert split["part"].value_counts().to_dict() == {"train": 42, "validation": 9, "test": 9}
    counts = seen(tmp_path / "head", data)
    assert counts == {"songs": 60, "train": 42, "validation": 9, "test": 9}
    test = np.isin(data.column("id"), split["id"][split["part"] == "test"])
    assert warning("head", seen(tmp_path / "head", data.select(np.flatnonzero(test)))) is None
    # Embedded again by another encoder, a track is known by its number.
    other = type(data)(data.vectors + 1, data.table, data.info, data.folder)
    assert seen(tmp_path / "head", other) == counts
    strange = type(data)(data.vectors + 1, data.table, {**data.info, "kind": "table"}, data.folder)
    assert seen(tmp_path / "head", strange)["train"] == 0
    text = run("evaluate", "--pairs", tmp_path / "pairs.csv", "--data", published, "--scorer", tmp_path / "head")
    assert "Beware: head was trained on " in text
    (tmp_path / "head" / "split.csv").unlink()
    text = run("evaluate", "--pairs", tmp_path / "pairs.csv", "--data", published, "--scorer", tmp_path / "head")
    assert "whether it was trained on these songs is not known" in text


def test_songs_of_preferences_are_kept_by_part(tmp_path, write_data):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((80, 4)).astype(np.float32)
    table = pd.DataFrame({"id": range(80), "sha256": [f"{n:064x}" for n in range(80)]})
    data = read_data(write_data(tmp_path / "data", vectors, table))
    a, b = rng.integers(0, 79, (2, 1500))
    a, b = a[a != b], b[a != b]
    winner = np.where(vectors[a, 0] > vectors[b, 0], "a", "b")
    pd.DataFrame({"a_id": a, "b_id": b, "winner": winner}).to_csv(tmp_path / "pairs.csv", index=False)
    train_pairwise(data, read_pairs(tmp_path / "pairs.csv", data), tmp_path / "head", recipe="ridge", rounds=10)
    counts = seen(tmp_path / "head", data)
    # One song is in no pair.
    assert sum(counts[part] for part in ("train", "validation", "test")) == 79 and counts["test"] >= 10
    assert seen(tmp_path / "head", [f"{n:064x}" for n in range(80)]) == counts
    assert "Beware" not in (warning("head", seen(tmp_path / "head", ["f" * 64])) or "")


def test_a_classifier_is_judged_by_the_part_it_was_not_trained_on(tmp_path, write_data):
    rng = np.random.default_rng(0)
    label = np.array(["pop", "rock"])[np.arange(80) % 2]
    vectors = (rng.standard_normal((80, 6)) + 2 * (label == "pop")[:, None]).astype(np.float32)
    table = pd.DataFrame({"id": range(80), "label": label, "part": np.where(np.arange(80) < 60, "train", "test")})
    folder = write_data(tmp_path / "data", vectors, table)
    data = read_data(folder)
    train_classifier(data, "label", tmp_path / "genres", recipe="ridge", rounds=10)
    head = open_classifier(tmp_path / "genres")
    found = judge_folder(head, data)
    assert (found["songs"], found["part"], found["left_out"]) == (20, "test", 60)
    assert found["trained_on"] == {"songs": 20, "train": 0, "validation": 0, "test": 20}
    words = ("evaluate", "--data", folder, "--classifier", tmp_path / "genres")
    text = run(*words)
    assert "60 of other parts than `test`" in text and "Beware" not in text
    table.drop(columns="part").to_csv(folder / "table.csv", index=False)
    assert judge_folder(head, read_data(folder))["trained_on"]["train"] > 45
    assert "was trained on" in run(*words)


@pytest.fixture
def captioned(tmp_path, write_data):
    """A classifier of two classes, and songs of 12 captions in the test part that it gets right or wrong together."""
    rng = np.random.default_rng(0)
    caption = np.repeat(np.arange(60), 10)
    code = caption % 2
    right = np.where(rng.random(60) < 0.7, 1, -1)[caption]
    vectors = np.column_stack([right * (2 * code - 1), 0.1 * rng.standard_normal((600, 3))]).astype(np.float32)
    vectors[:, 1] += np.arange(600) * 1e-3
    table = pd.DataFrame({
        "id": range(600), "label": np.array(["pop", "rock"])[code], "caption": [f"c{one}" for one in caption],
        "artist": caption // 4, "part": np.where(caption < 48, "train", "test"),
    })  # fmt: skip
    folder = write_data(tmp_path / "captioned", vectors, table, split_by="caption")
    card = train_classifier(read_data(folder), "label", tmp_path / "genres", recipe="ridge")
    return folder, card["splits"]["given"]


def test_songs_of_one_caption_are_one_witness_to_a_classifier(captioned, tmp_path):
    folder, given = captioned
    head = open_classifier(tmp_path / "genres")
    found = judge_folder(head, read_data(folder))
    assert (found["interval_over"], found["groups"], found["songs"]) == ("caption", 12, 120)
    for word in ("accuracy", "balanced accuracy"):
        assert found[word] == given[word]["model"]
    words = ("evaluate", "--data", folder, "--classifier", tmp_path / "genres")
    assert "over 12 values of `caption`" in run(*words) and "too few" not in run(*words)
    by_artist = json.loads(run(*words, "--group", "artist", "--json"))
    assert by_artist["interval_over"] == "artist" and by_artist["groups"] == 3
    assert "over 3 values of `artist`" in run(*words, "--group", "artist")
    assert "too few groups for intervals to be trusted" in run(*words, "--group", "artist")
    with pytest.raises(UsageError, match=r"no column 'artst'.*'artist'"):
        run(*words, "--group", "artst")
    # Without either, each song is a witness, but a copy is none.
    data = read_data(folder)
    table = data.table.assign(sha256=[f"{row // 2:064x}" for row in range(600)])
    alone = judge_folder(head, type(data)(data.vectors, table, {**data.info, "split_by": None}, folder))
    assert alone["interval_over"] is None and (alone["songs"], alone["groups"]) == (120, 60)
    wide, narrow = (one["accuracy"][2] - one["accuracy"][1] for one in (found, alone))
    assert wide > 1.5 * narrow

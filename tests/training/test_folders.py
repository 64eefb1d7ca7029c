"""Where a head is trained to: what is there already, what must not stay, and how a terminal shows it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import Interrupted, RunLocked, UsageError
from optimizer.scoring import prepare
from optimizer.training import earlier, head, network
from optimizer.training.classify import train_classifier
from optimizer.training.data import read_data
from optimizer.training.folder import held
from optimizer.training.regress import train_regression

EMOTION = {
    "references": {"calm": [7.0, 2.0], "angry": [2.0, 7.0]},
    "scale": [1, 9],
    "raters": 3,
    "ceiling": {axis: {"ceiling": 0.9, "reliability": 0.8, "rater_error": 1.0} for axis in ("valence", "arousal")},
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for function in (train_regression, train_classifier):
        monkeypatch.setitem(function.__kwdefaults__, "rounds", 10)
        monkeypatch.setitem(function.__kwdefaults__, "members", 1)
    monkeypatch.setattr(head, "ROBUST", network.Recipe(hidden=(8,), epochs=3))


@pytest.fixture
def make(write_data, tmp_path):
    """Return a function that writes embeddings of songs with two columns to learn."""

    def write(name="data", *, old=False, **info):
        rng = np.random.default_rng(0)
        vectors = rng.standard_normal((40, 8)).astype(np.float32)
        # Names of columns that an earlier version gave.
        system, intent = ("system", "intent") if old else ("model", "emotion")
        table = pd.DataFrame({
            "id": rng.permutation(900)[:40], "valence": 5 + vectors[:, 0], "arousal": 5 + vectors[:, 1],
            "artist": np.arange(40) // 2, "label": np.where(vectors[:, 2] > 0, "pop", "rock"),
            system: ["a", "b"] * 20, intent: ["calm", "angry"] * 20,
        })  # fmt: skip
        return write_data(tmp_path / name, vectors, table, **info)

    return write


def train(folder, out, *words):
    words = ["train", "--data", str(folder), "--out", str(out), "--recipe", "ridge", *words]
    done = CliRunner().invoke(app, words)
    if done.exception is not None:
        raise done.exception
    return done.output


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_head_never_stays_beside_heads_below_it(make, tmp_path):
    data, out = make(emotion=EMOTION, notes=[]), tmp_path / "out"
    train(data, out, "--target", "arousal")
    before = files(out)
    with pytest.raises(UsageError, match=r"holds a head of its own; the heads of valence, arousal") as caught:
        train(data, out, "--target", "valence,arousal")
    assert "--out" in caught.value.next_step and files(out) == before
    train(data, tmp_path / "two", "--target", "valence,arousal")
    for words in (["--target", "arousal"], ["--task", "classification", "--target", "label"]):
        with pytest.raises(UsageError, match=r"holds heads below it \(arousal, valence\)"):
            train(data, tmp_path / "two", *words)
    with pytest.raises(UsageError, match=r"emotion head, of which only arousal would be new"):
        train(data, tmp_path / "two", "--target", "arousal,artist")
    # Others of several stay where they are, and only the new cards are printed.
    train(data, tmp_path / "many", "--target", "valence,id")
    said = train(data, tmp_path / "many", "--target", "arousal,artist")
    assert "# arousal" in said and "# artist" in said and "# valence" not in said


def test_the_same_training_again_goes_into_its_folder(make, tmp_path):
    data, out = make(), tmp_path / "out"
    train(data, out, "--target", "arousal", "--group", "artist")
    assert "residuals-grouped.svg" in files(out)
    train(data, out, "--target", "arousal")
    assert files(out) == ["card.json", "card.md", "head.json", "head.safetensors", "residuals-random.svg", "split.csv"]
    said = train(data, out, "--task", "classification", "--target", "label")
    assert files(out) == ["card.json", "card.md", "head.json", "head.safetensors", "split.csv"] and "pop" in said
    # What a kill leaves.
    (out / ".training").mkdir()
    (out / "head.json").unlink()
    train(data, out, "--target", "arousal")
    assert "head.json" in files(out) and not (out / ".training").exists()


OWN = ("card.json", "card.md", "split.csv", "head.safetensors", "residuals-grouped.svg")


@pytest.mark.parametrize("targets", ["arousal", "valence,arousal"])
def test_ones_own_files_are_not_overwritten_by_a_head(make, tmp_path, targets):
    data, out = make(emotion=EMOTION, notes=[]), tmp_path / "own"
    several = "," in targets
    out.mkdir()
    if several:
        (out / "valence").mkdir()
    for name in (*OWN, "emotion.json") if several else OWN:
        # Cards above or below where heads are to go are taken for heads and were always refused.
        file = (out / "valence" if several and name != "emotion.json" else out) / name
        file.write_text("mine")
        with pytest.raises(UsageError, match=rf"holds a {name} that no training wrote.*\n.*another folder with --out"):
            train(data, out, "--target", targets)
        assert file.read_text() == "mine"
        file.unlink()
    train(data, out, "--target", targets)


def test_a_head_does_not_go_among_embeddings(make, tmp_path):
    data = make()
    before = files(data)
    for words in (["--target", "arousal"], ["--target", "valence,arousal"]):
        with pytest.raises(UsageError, match=r"data holds embeddings; .*\n.*another folder with --out"):
            train(data, data, *words)
    assert files(data) == before
    train(data, data / "head", "--target", "arousal")


@pytest.mark.parametrize("words", [
    ["--target", "arousal", "--group", "artist"], ["--target", "valence,arousal"],
    ["--task", "classification", "--target", "label"],
])  # fmt: skip
def test_a_training_may_go_on_from_wherever_it_is_killed(make, tmp_path, monkeypatch, words):
    """Before each of its changes it would be let in again; the first time, and over an earlier head."""
    data, out, changes = make(emotion=EMOTION, notes=[]), tmp_path / "out", []

    def watched(act):
        def change(path, *more, **options):
            if path.is_relative_to(out):
                changes.append(path.name)
                earlier.refuse_other(out, words[words.index("--target") + 1].split(","))
            return act(path, *more, **options)

        return change

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", watched(Path.replace))
        patch.setattr(Path, "unlink", watched(Path.unlink))
        for _ in range(2):
            train(data, out, *words)
    assert len(changes) >= 12 and changes.count("head.json") >= 2


def test_an_emotion_head_is_replaced_whole_or_not(make, tmp_path, monkeypatch):
    data, out = make(emotion=EMOTION, notes=[]), tmp_path / "out"
    words = ("--target", "valence,arousal")
    train(data, out, *words)
    before = prepare(f"{out}:calm").identity
    with pytest.raises(UsageError, match="no column 'artisst'"):
        train(data, out, *words, "--group", "artisst")
    assert prepare(f"{out}:calm").identity == before
    # Half of it written, it is none: an old valence does not judge beside a new arousal.
    with pytest.raises(RuntimeError), earlier.replaced(out, ["valence", "arousal"], ()):
        train_regression(read_data(data), ["arousal"], out / "arousal", recipe="ridge", rounds=5)
        raise RuntimeError
    assert not (out / "emotion.json").exists()
    train(data, out, *words)
    assert prepare(f"{out}:calm").identity == before and not (out / ".emotion.json.before").exists()
    plain = make("plain")
    train(plain, out, *words)
    assert not [name for name in files(out) if "emotion" in name]


def test_an_emotion_corpus_of_an_earlier_version_is_written_again(make, tmp_path):
    with pytest.raises(UsageError, match=r"has no column 'model'.*earlier version") as caught:
        train(make(emotion=EMOTION, notes=[], old=True), tmp_path / "out", "--target", "valence,arousal")
    assert "optimize embed CORPUS" in caught.value.next_step and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [
    ["--target", "arousal"], ["--target", "valence,arousal"], ["--task", "classification"],
    ["--task", "pairwise", "--pairs", "pairs.csv"],
])  # fmt: skip
def test_a_file_is_no_folder(make, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    data = make()
    ids = read_data(data).table["id"].to_numpy()
    a, b = np.random.default_rng(0).integers(0, 40, (2, 900))
    pd.DataFrame({"a_id": ids[a], "b_id": ids[b], "winner": "a"}).to_csv("pairs.csv", index=False)
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/out"):
        with pytest.raises(UsageError, match=r"folder .*file.* cannot be made: .*\n.*--out"):
            train(data, tmp_path / out, *words)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["acoustic", "Emotion", "two\nlines", "\x1b[2J", " ", "x" * 201])
def test_a_name_is_free_and_printable(make, tmp_path, name):
    with pytest.raises(UsageError, match=r"--name .* (is the name of a scorer|must be one line)"):
        train(make(), tmp_path / "out", "--target", "arousal", "--name", name)
    assert not (tmp_path / "out").exists()


def test_classes_are_printable(make, tmp_path):
    folder = make()
    table = pd.read_csv(folder / "table.csv")
    table["label"] = table["label"].replace("pop", "po\x1bp")
    table.to_csv(folder / "table.csv", index=False)
    with pytest.raises(UsageError, match=r"has the class 'po\\x1bp'"):
        train(folder, tmp_path / "out", "--task", "classification")


class Terminal(io.StringIO):
    """What is written to a terminal, by both streams."""

    def isatty(self):
        return True


def test_on_a_terminal_the_card_begins_on_a_clean_line(make, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    data, terminal = make(), Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    words = ["train", "--data", str(data), "--out", str(tmp_path / "out"), "--target", "arousal"]
    app(words, standalone_mode=False)
    before, _, after = terminal.getvalue().partition("The audio model")
    assert "epoch 3 of at most 3" in before and after
    assert before.endswith("\r\x1b[K")


PUBLISHED = {"model": "m-a-p/MERT-v1-330M"}


def test_a_published_corpus_is_of_the_pinned_encoder(tmp_path):
    folder = tmp_path / "pub"
    folder.mkdir()
    np.save(folder / "embeddings.npy", np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32))
    rows = {"track_ids": list(range(2, 32)), "labels": [{"banger_score": i / 3} for i in range(30)]}
    (folder / "metadata.json").write_text(json.dumps(PUBLISHED | rows))
    card = json.loads(train(folder, tmp_path / "out", "--target", "banger_score", "--json"))
    pinned = "m-a-p/MERT-v1-330M@0e06c986db0527c0fd1b47181c40f006805e3de0"
    config = json.loads((tmp_path / "out" / "head.json").read_text())
    assert config["encoder"] == pinned and config["spread"] is False and "CC-BY-NC" in config["licence"]
    assert "licence: CC-BY-NC" in (tmp_path / "out" / "card.md").read_text() and card["encoder"]["encoder"] == pinned
    info = read_data(folder).info
    assert info["key"] == f"{pinned}/middle/float32"
    (folder / "metadata.json").write_text(json.dumps(rows | {"model": None}))
    assert read_data(folder).info["encoder"] == "unknown" and "licence" not in read_data(folder).info
    (folder / "metadata.json").write_text(json.dumps(rows | {"model": "\x1b[2J"}))
    with pytest.raises(UsageError, match=r"encoder .* must be one line"):
        read_data(folder)


@pytest.mark.parametrize("vectors", [np.array([["a", "b"]] * 40), np.zeros((40, 0)), np.zeros((40, 2), complex)])
def test_embeddings_are_numbers(make, vectors):
    folder = make()
    np.save(folder / "embeddings.npy", vectors)
    with pytest.raises(UsageError, match=r"it must hold numbers, a row for each song.*\n.*optimize embed"):
        read_data(folder)


def test_files_that_are_no_arrays_say_so(make):
    folder = make()
    with (folder / "embeddings.npy").open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(UsageError, match="an archive, not one array"):
        read_data(folder)
    (folder / "embeddings.npy").write_bytes(b"")
    with pytest.raises(UsageError, match=r"embeddings\.npy cannot be read"):
        read_data(folder)
    (folder / "embedding.json").write_text("[" * 200_000)
    np.save(folder / "embeddings.npy", np.zeros((40, 2)))
    with pytest.raises(UsageError, match=r"embedding\.json cannot be read"):
        read_data(folder)


@pytest.mark.parametrize("words", [
    ["train", "--target", "arousal", "--data"], ["embed", "--encoder", "acoustic"],
    ["dataset", "build", "--prompts", "A {genre} track.", "--classes", "pop,rock", "--per-class", "2"],
])  # fmt: skip
def test_a_folder_has_one_writer(make, corpus_folder, tmp_path, words):
    out = tmp_path / "out"
    source = {"train": [str(make())], "embed": [str(corpus_folder)], "dataset": []}[words[0]]
    asked = [*words, *source, "--out", str(out)]
    with held(out):
        with pytest.raises(RunLocked, match=r"out is being written by another process\.\n.*--out") as caught:
            raise CliRunner().invoke(app, asked).exception
        assert caught.value.exit_code == 2 and list(out.iterdir()) == []
    # Let go of, and gone again: nothing was written there.
    assert not out.exists()


def test_what_was_there_stays_after_a_hold(tmp_path):
    with pytest.raises(RuntimeError), held(tmp_path):
        raise RuntimeError
    assert tmp_path.is_dir()
    with held(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "card.md").write_text("kept")
    assert (tmp_path / "a" / "b" / "card.md").read_text() == "kept"


@pytest.mark.parametrize(("words", "what"), [
    (["train", "--target", "arousal", "--out", "out", "--data"], "optimizer.training.regress.train_regression"),
    (["dataset", "build", "--out", "out", "--classes", "pop,rock"], "optimizer.training.dataset.build"),
])  # fmt: skip
def test_an_interrupt_says_that_the_same_command_goes_on(make, tmp_path, monkeypatch, words, what):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(what, interrupted)
    done = CliRunner().invoke(app, [*words, *([str(make())] if words[0] == "train" else [])])
    assert isinstance(done.exception, Interrupted) and done.exception.exit_code == 130
    assert "the same command goes on" in done.exception.next_step


def test_an_interrupt_is_said_by_every_verb(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("optimizer.search_space.genre_names", interrupted)
    assert isinstance(CliRunner().invoke(app, ["spaces"]).exception, Interrupted)


def test_what_is_printed_to_be_typed_can_be(make, tmp_path):
    assert "--scorer '" in train(make(), tmp_path / "my head", "--target", "arousal")


@pytest.mark.parametrize("words", [
    ["--target", "arousal"], ["--task", "classification"], ["--task", "pairwise", "--pairs", "pairs.csv"],
])  # fmt: skip
def test_songs_whose_embedding_is_not_numbers_are_counted(make, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    data = make()
    ids = read_data(data).table["id"].to_numpy()
    a, b = np.random.default_rng(0).integers(0, 40, (2, 900))
    pd.DataFrame({"a_id": ids[a], "b_id": ids[b], "winner": "a"}).to_csv("pairs.csv", index=False)
    train(data, tmp_path / "whole", *words)
    assert json.loads((tmp_path / "whole" / "card.json").read_text())["broken"] == 0
    assert "not numbers" not in (tmp_path / "whole" / "card.md").read_text()
    vectors = np.load(data / "embeddings.npy")
    vectors[3, 2], vectors[7] = np.nan, np.inf
    np.save(data / "embeddings.npy", vectors)
    train(data, tmp_path / "out", *words)
    assert json.loads((tmp_path / "out" / "card.json").read_text())["broken"] == 2
    said = "2 songs are left out: their embeddings are not numbers (nan or infinite)."
    assert said in (tmp_path / "out" / "card.md").read_text()
    told = CliRunner().invoke(app, ["evaluate", "--data", str(data), "--json"])
    assert said in told.stderr and json.loads(told.stdout)["songs"] == 38

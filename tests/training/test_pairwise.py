"""Preferences made by chance from a known worth: the worth is found, and what only knows the songs is not believed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.scoring import prepare
from optimizer.scoring.heads import open_head
from optimizer.training import bradley_terry, network, pairwise
from optimizer.training.data import read_data
from optimizer.training.metrics import spearman
from optimizer.training.pairs import read_pairs

PUBLISHED = bradley_terry.PUBLISHED


@pytest.fixture(autouse=True)
def short(monkeypatch):
    recipe = network.Recipe(hidden=(16,), norm="none", epochs=8)
    monkeypatch.setattr(bradley_terry, "ROBUST", recipe)
    monkeypatch.setattr(bradley_terry, "PUBLISHED", network.Recipe(hidden=(16,), epochs=8))


def planted_pairs(folder, write_data, songs=200, pairs=6000):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((songs, 6)).astype(np.float32)
    worth = 2 * vectors[:, 0]
    table = pd.DataFrame({"id": range(songs), "sha256": [f"{n:064x}" for n in range(songs)]})
    data = write_data(folder / "data", vectors, table)
    a, b = rng.integers(0, songs, (2, pairs))
    a, b = a[a != b], b[a != b]
    won = rng.random(len(a)) < 1 / (1 + np.exp(worth[b] - worth[a]))
    winner = np.where(won, "a", "b").astype(object)
    winner[:20] = "tie"
    columns = {"a_study": "x", "a_number": a, "a_sha256": table["sha256"].to_numpy()[a], "b_study": "x",
               "b_number": b, "b_sha256": table["sha256"].to_numpy()[b], "winner": winner}  # fmt: skip
    pd.DataFrame(columns).to_csv(folder / "pairs.csv", index=False)
    return data, folder / "pairs.csv", worth


@pytest.mark.parametrize("recipe", ["robust", "published", "ridge"])
def test_preferences_are_learned_from_pairs(tmp_path, write_data, recipe):
    folder, file, worth = planted_pairs(tmp_path, write_data)
    data = read_data(folder)
    choices = read_pairs(file, data)
    card = pairwise.train_pairwise(data, choices, tmp_path / "head", recipe=recipe, members=1, rounds=100)
    assert card["verdict"].startswith("The audio model beats") and card["ties"] == 20 and card["recipe"] == recipe
    head = open_head(tmp_path / "head")
    assert spearman(np.array([head.judge(row)[0] for row in data.vectors]), worth) > 0.9
    # Choices made by chance in the logistic model cannot be foretold better than the truth foretells them.
    assert card["splits"]["grouped"]["accuracy"]["model"][0] < 0.95
    grouped = card["splits"]["grouped"]["accuracy"]
    assert abs(grouped["no audio: group's wins"][0] - 0.5) < 0.01
    # A song heard in training pairs carries its wins over to test pairs when pairs are split at random.
    assert card["splits"]["random"]["accuracy"]["no audio: group's wins"][0] > 0.65
    config = json.loads((tmp_path / "head" / "head.json").read_text())
    assert config["recipe"] == recipe and config["split"] == "grouped" and config["licence"] == "none"
    text = (tmp_path / "head" / "card.md").read_text()
    assert f"recipe `{recipe}`" in text and "Calibration" in text and text.startswith(card["verdict"])
    assert prepare(str(tmp_path / "head")).identity["name"] == "preference"


def sides(rng, worth, count, ties=0.0):
    a, b = rng.integers(0, len(worth), (2, count))
    a, b = a[a != b], b[a != b]
    chosen = (rng.random(len(a)) < 1 / (1 + np.exp(worth[b] - worth[a]))).astype(float)
    return a, b, np.where(rng.random(len(a)) < ties, 0.5, chosen)


def test_the_worth_is_in_log_odds():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 5)).astype(np.float32)
    worth = x @ np.array([2.0, -1.0, 0.5, 0.0, 0.0])
    model = bradley_terry.fit("ridge", x, sides(rng, worth, 8000), sides(rng, worth, 2000))
    found = model.raw(x)
    slope, _ = np.polyfit(worth, found, 1)
    assert slope == pytest.approx(1.0, abs=0.1) and np.corrcoef(found, worth)[0, 1] > 0.995
    # A tie is half a choice for each: with half of all choices called ties, the odds are nearer to even.
    tied = bradley_terry.fit("ridge", x, sides(rng, worth, 8000, ties=0.5), sides(rng, worth, 2000))
    assert np.polyfit(worth, tied.raw(x), 1)[0] < 0.7
    best, rest = np.argsort(worth)[::-1][:200], np.argsort(worth)[:200]
    even = bradley_terry.fit("ridge", x, (best, rest, np.full(200, 0.5)), sides(rng, worth, 200))
    assert np.abs(even.raw(x)).max() < 1e-3


def test_it_does_not_matter_who_is_called_a():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 4)).astype(np.float32)
    learn, check = sides(rng, 2 * x[:, 0], 400), sides(rng, 2 * x[:, 0], 100)
    turned = bradley_terry.fit("ridge", x, (learn[1], learn[0], 1 - learn[2]), check)
    assert np.allclose(bradley_terry.fit("ridge", x, learn, check).raw(x), turned.raw(x), atol=1e-4)


def test_recipes_differ_in_what_they_do():
    rng = np.random.default_rng(3)
    x = (5 + 3 * rng.standard_normal((80, 4))).astype(np.float32)
    learn, check = sides(rng, x[:, 0], 600), sides(rng, x[:, 0], 200)
    fits = {name: bradley_terry.fit(name, x, learn, check, members=2) for name in bradley_terry.RECIPES}
    assert fits["published"].mean is None and fits["robust"].mean is not None
    assert fits["robust"].note["blend"] in ("network", "blend", "ridge") and len(fits["robust"].note["epochs"]) == 2
    assert len(fits["ridge"].members) == len(fits["published"].members) == 1
    assert network.Recipe(hidden=(512, 256, 128), dropout=0.3, rate=1e-3, decay=1e-4, epochs=200, batch=64,
                                       patience=20) == PUBLISHED  # fmt: skip
    with pytest.raises(
        UsageError, match=r"recipe 'rigde' must be one of robust, published, ridge.*Did you mean 'ridge'"
    ):
        bradley_terry.fit("rigde", x, learn, check)


def test_training_ends_when_nothing_more_is_learned(monkeypatch):
    monkeypatch.setattr(bradley_terry, "ROBUST", network.Recipe(hidden=(16,), norm="none", epochs=200, patience=4))
    rng = np.random.default_rng(4)
    x = rng.standard_normal((80, 4)).astype(np.float32)
    told = []
    model = bradley_terry.fit("robust", x, sides(rng, x[:, 0], 300), sides(rng, x[:, 0], 100), members=1,
                              on_epoch=lambda *what: told.append(what))  # fmt: skip
    assert model.note["epochs"][0] == len(told) < 100 and told[-1] == ("pairwise 1/1", len(told), 200)


def test_the_same_seed_gives_the_same_head(tmp_path, write_data):
    folder, file, _ = planted_pairs(tmp_path, write_data, songs=80, pairs=1500)
    data = read_data(folder)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        choices = read_pairs(file, data)
        pairwise.train_pairwise(data, choices, tmp_path / name, seed=seed, members=1, rounds=10)
    files = {name: (tmp_path / name / "head.safetensors").read_bytes() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]


def test_pairs_that_cannot_be_used_are_refused(tmp_path, write_data):
    folder, file, _ = planted_pairs(tmp_path, write_data, pairs=40)
    data = read_data(folder)
    frame = pd.read_csv(file)
    frame.assign(winner="left-ish").to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(UsageError, match=r"'left-ish' must be a, b or tie"):
        read_pairs(tmp_path / "w.csv", data)
    frame.assign(a_sha256="no").drop(columns=["a_study", "b_study"]).to_csv(tmp_path / "n.csv", index=False)
    with pytest.raises(UsageError, match=r"not one of the"):
        read_pairs(tmp_path / "n.csv", data)
    with pytest.raises(UsageError, match=r"has no column vote; it has"):
        read_pairs(file, data, "vote")
    with pytest.raises(UsageError, match=r"5 in each are needed"):
        pairwise.train_pairwise(data, read_pairs(file, data), tmp_path / "head")
    assert not (tmp_path / "head").exists()


def test_the_command(tmp_path, write_data):
    folder, file, _ = planted_pairs(tmp_path, write_data, songs=80, pairs=1500)
    words = ["train", "--task", "pairwise", "--data", str(folder), "--out", str(tmp_path / "head"), "--recipe", "ridge"]
    result = CliRunner().invoke(app, [*words, "--pairs", str(file), "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["recipe"] == "ridge", result.output
    pd.read_csv(file).rename(columns={"winner": "vote"}).to_csv(tmp_path / "v.csv", index=False)
    result = CliRunner().invoke(app, [*words, "--pairs", str(tmp_path / "v.csv"), "--target", "vote"])
    assert result.exit_code == 0 and f"--scorer {tmp_path / 'head'}" in result.stdout, result.output
    assert "needs --pairs FILE" in str(CliRunner().invoke(app, words).exception)


def test_paths_match_where_they_name_the_same_file(tmp_path, write_data):
    table = pd.DataFrame(
        {"id": range(3), "path": ["songs/1.wav", "songs/2.wav", str(tmp_path / "elsewhere" / "3.wav")]}
    )
    data = read_data(write_data(tmp_path / "p", np.eye(3, dtype=np.float32), table))
    said = {
        # As the table has it, wherever the choices lie.
        tmp_path / "votes" / "as-it-is.csv": ["songs/1.wav", "songs/2.wav", str(tmp_path / "elsewhere" / "3.wav")],
        tmp_path / "relative.csv": ["p/songs/1.wav", "./p/songs/../songs/2.wav", "elsewhere/3.wav"],
        tmp_path / "p" / "whole.csv": [str(tmp_path / "p" / "songs" / "1.wav"), "songs/2.wav", "../elsewhere/3.wav"],
    }
    for file, (one, two, three) in said.items():
        file.parent.mkdir(exist_ok=True)
        rows = {"a_path": [one, two, three], "b_path": [two, three, "no.wav"], "winner": ["a", "b", "a"]}
        pd.DataFrame(rows).to_csv(file, index=False)
        read = read_pairs(file, data)
        assert (list(read.a), list(read.b), read.lost) == ([0, 1], [1, 2], 1)


def test_pairs_without_a_song_show_a_name_of_each_side(tmp_path, write_data):
    table = pd.DataFrame({"id": [1, 2], "path": ["songs/1.wav", "songs/2.wav"]})
    data = read_data(write_data(tmp_path / "p", np.eye(2, dtype=np.float32), table))
    rows = {"a_path": ["songs/1.wav", "x/1.wav"], "b_path": ["x/2.wav", "songs/2.wav"], "winner": ["a", "b"]}
    pd.DataFrame(rows).to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(UsageError, match=r"has both songs in .*p: they name 'x/1\.wav' \(a_path\), and the table's "
                                         r"first path is 'songs/1\.wav'") as caught:  # fmt: skip
        read_pairs(tmp_path / "pairs.csv", data)
    assert "optimize embed" in caught.value.next_step
    with pytest.raises(UsageError, match=r"none\.csv is not there"):
        read_pairs(tmp_path / "none.csv", data)


def test_an_id_of_several_songs_names_none_of_them(tmp_path, write_data):
    table = pd.DataFrame({"id": [1, 2, 2, 3], "path": ["1.wav", "2.wav", "3.wav", "4.wav"]})
    data = read_data(write_data(tmp_path / "p", np.eye(4, dtype=np.float32), table))
    frame = pd.DataFrame({"a_id": [1, 1], "b_id": [3, 2], "winner": ["a", "b"]})
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(UsageError, match=r"b_id 2 is that of 2 songs of .*p\.\n.*b_path or b_sha256"):
        read_pairs(tmp_path / "pairs.csv", data)
    # Told by their paths the ids do not matter; and nor do those of songs that nobody asks for.
    frame.assign(a_path="1.wav", b_path=["4.wav", "3.wav"]).to_csv(tmp_path / "paths.csv", index=False)
    assert list(read_pairs(tmp_path / "paths.csv", data).b) == [3, 2]
    frame.iloc[:1].to_csv(tmp_path / "one.csv", index=False)
    assert list(read_pairs(tmp_path / "one.csv", data).b) == [3]

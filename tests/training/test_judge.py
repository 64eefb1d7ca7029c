"""Preferences, classes, generated data sets, and judging judges."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.scoring import prepare
from optimizer.scoring.heads import open_head
from optimizer.training import classify, dataset, network, pairwise
from optimizer.training.data import read_data
from optimizer.training.embed import open_space
from optimizer.training.evaluate import agreement, best_of, frechet, set_figures
from optimizer.training.metrics import spearman


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(pairwise, "LINEAR", network.Recipe(hidden=(), norm="none", dropout=0.0, rate=1e-2, epochs=15))
    monkeypatch.setattr(pairwise, "NETWORK", network.Recipe(hidden=(16,), norm="none", epochs=8))
    monkeypatch.setattr(classify, "RECIPE", network.Recipe(hidden=(16,), epochs=40, batch=16, patience=8, rate=1e-2))


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


def test_preferences_are_learned_from_pairs(tmp_path, write_data):
    folder, file, worth = planted_pairs(tmp_path, write_data)
    data = read_data(folder)
    card = pairwise.train_pairwise(data, pairwise.read_pairs(file, data), tmp_path / "head", members=1)
    assert card["verdict"].startswith("The audio model beats") and card["ties"] == 20
    head = open_head(tmp_path / "head")
    assert spearman(np.array([head.judge(row)[0] for row in data.vectors]), worth) > 0.9
    # Choices made by chance in the logistic model cannot be foretold better than the truth foretells them.
    assert card["splits"]["grouped"]["accuracy"]["model"][0] < 0.95
    grouped = card["splits"]["grouped"]["accuracy"]
    assert abs(grouped["no audio: group's wins"][0] - 0.5) < 0.01
    # A song heard in training pairs carries its wins over to test pairs when pairs are split at random.
    assert card["splits"]["random"]["accuracy"]["no audio: group's wins"][0] > 0.65


def test_pairs_that_cannot_be_used_are_refused(tmp_path, write_data):
    folder, file, _ = planted_pairs(tmp_path, write_data, pairs=40)
    data = read_data(folder)
    frame = pd.read_csv(file)
    frame.assign(winner="left-ish").to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(UsageError, match=r"'left-ish' must be a, b or tie"):
        pairwise.read_pairs(tmp_path / "w.csv", data)
    frame.assign(a_sha256="no").drop(columns=["a_study", "b_study"]).to_csv(tmp_path / "n.csv", index=False)
    with pytest.raises(UsageError, match=r"not one of the"):
        pairwise.read_pairs(tmp_path / "n.csv", data)


def test_classes_are_learned_and_each_is_a_scorer(tmp_path, write_data):
    rng = np.random.default_rng(0)
    code = np.array([0] * 120 + [1] * 60 + [2] * 30)
    vectors = (rng.standard_normal((210, 8)) + 2.5 * np.eye(8)[code]).astype(np.float32)
    table = pd.DataFrame({"id": rng.permutation(210), "label": np.array(["Funk", "pop", "rock"])[code],
                          "artist": np.arange(210) // 3})  # fmt: skip
    data = read_data(write_data(tmp_path / "data", vectors, table))
    card = classify.train_classifier(data, "label", tmp_path / "c", group="artist")
    assert card["splits"]["grouped"]["accuracy"]["model"][0] > 0.85
    matrix = np.array(card["splits"]["random"]["confusion"])
    assert matrix.sum() == card["splits"]["random"]["songs"][2] and np.trace(matrix) / matrix.sum() > 0.8
    kept = classify.open_classifier(tmp_path / "c")
    guess = kept.predict(vectors)
    assert (guess == table["label"]).mean() > 0.9
    rock = open_head(tmp_path / "c" / "classes" / "rock")
    logits = kept.logits(vectors[:1])[0]
    assert rock.judge(vectors[0])[1]["raw"] == pytest.approx(logits[2] - logits[:2].mean(), abs=1e-4)
    assert prepare(str(tmp_path / "c" / "classes" / "rock")).identity["name"] == "label-rock"
    data.table["label"] = data.table["label"].str.upper()
    judged = classify.judge_folder(kept, data)
    assert judged["songs"] == 210 and judged["accuracy"][0] > 0.9


def test_a_generated_set_end_to_end(tmp_path, write_audio):
    wanted = dataset.recipes("A {genre} track. {description}", ["electronica", "orchestral", "rock"], 4, duration=1.0)
    assert {len(part) for part in wanted.values()} == {4}
    assert wanted["rock"][0].caption.startswith("A rock track. distorted")
    spec, out = resolve("synth", RenderOptions(duration=1.0)), tmp_path / "set"
    info = dataset.build(spec, wanted, out, open_space("acoustic", {}))
    assert info["rendered"] == info["count"] == 12
    again = dataset.build(spec, wanted, out, open_space("acoustic", {}))
    assert again["rendered"] == again["heard"] == 0
    data = read_data(out)
    assert pd.crosstab(data.table["label"], data.table["part"]).to_numpy().tolist() == [[1, 3]] * 3
    card = classify.train_classifier(data, "label", tmp_path / "c")
    assert card["splits"]["random"]["songs"][2] == 3
    for number, label in enumerate(["Rock", "orchestral", "polka"]):
        write_audio(tmp_path / "real" / label / f"{number}.wav", seconds=1.0, seed=number)
    run = CliRunner()
    result = run.invoke(app, ["embed", str(tmp_path / "real"), "--out", str(tmp_path / "r"), "--encoder", "acoustic"])
    assert result.exit_code == 0, result.output
    words = ["evaluate", "--data", str(tmp_path / "r"), "--classifier", str(tmp_path / "c"), "--json"]
    judged = json.loads(run.invoke(app, words).stdout)
    assert judged["songs"] == 2 and judged["unknown"] == 1


def test_a_prompt_with_a_strange_field_is_refused():
    with pytest.raises(UsageError, match=r"genre.*description.*only"):
        dataset.recipes("{mood} {genre}", ["rock", "pop"], 2)
    with pytest.raises(UsageError, match=r"nothing is known of class 'polka'"):
        dataset.recipes("{genre} {description}", ["rock", "polka"], 2)


def test_agreement_counts_ties_and_systems():
    a, b = np.array([2.0, 1, 5, 5, 3]), np.array([1.0, 2, 5, 1, 1])
    share = np.array([1.0, 1.0, 0.0, 1.0, 0.5])
    found = agreement(a, b, share, ["x", "x", "y", "y", "y"])
    assert found["accuracy"][0] == pytest.approx(2.5 / 4) and found["ties"] == 1 and found["even"] == 1
    assert found["systems"]["x"]["accuracy"][0] == 0.5 and found["systems"]["y"]["pairs"] == 2
    with pytest.raises(UsageError, match=r"every pair is a tie"):
        agreement(a, b, np.full(5, 0.5))


def test_best_of_n_is_the_mean_over_all_draws():
    rng = np.random.default_rng(0)
    picker, judge = rng.standard_normal((2, 7))
    curve = {row["n"]: row["judge"][0] for row in best_of(picker, judge)}
    for size in (1, 2, 4):
        draws = [max(rows, key=lambda row: picker[row]) for rows in itertools.combinations(range(7), size)]
        assert curve[size] == pytest.approx(judge[draws].mean())
    assert set(curve) == {1, 2, 4}


def test_set_figures_know_near_from_far():
    rng = np.random.default_rng(0)
    reference, near, far = (
        rng.standard_normal((200, 12)),
        rng.standard_normal((60, 12)),
        rng.standard_normal((60, 12)) + 2,
    )
    # A point and its shifted self: covariances are the same, the means two apart.
    assert frechet(reference, reference + 2) == pytest.approx(4 * 12)
    first, second = set_figures(near, reference, rounds=20), set_figures(far, reference, rounds=20)
    assert first["frechet"][2] < second["frechet"][1]
    same = set_figures(np.repeat(reference[:2], 10, axis=0), reference, rounds=20)
    assert same["vendi"][0] < 2.01 < first["vendi"][0]
    # Fewer songs than dimensions: still a number.
    assert np.isfinite(frechet(rng.standard_normal((5, 40)), rng.standard_normal((6, 40))))


def test_the_commands(tmp_path, planted_data, write_audio):
    run = CliRunner()
    words = ["train", "--data", str(planted_data), "--target", "label", "--group", "artist_id", "--recipe", "ridge",
             "--out", str(tmp_path / "h")]  # fmt: skip
    result = run.invoke(app, words)
    assert result.exit_code == 0 and "The audio model" in result.stdout.splitlines()[0], result.output
    files = [write_audio(tmp_path / "songs" / f"{n}.wav", seconds=1.0, seed=n) for n in range(4)]
    pairs = {"a_path": [f"songs/{f.name}" for f in files[:2]], "b_path": [f"songs/{f.name}" for f in files[2:]],
             "winner": ["a", "b"]}  # fmt: skip
    pd.DataFrame(pairs).to_csv(tmp_path / "pairs.csv", index=False)
    words = ["evaluate", "--pairs", str(tmp_path / "pairs.csv"), "--scorer", "acoustic", "--json"]
    assert json.loads(run.invoke(app, words).stdout)["pairs"] == 2
    words = ["evaluate", "--audio", str(tmp_path / "songs"), "--scorer", "acoustic", "--judge", "acoustic", "--json"]
    curve = json.loads(run.invoke(app, words).stdout)["curve"]
    assert [row["n"] for row in curve] == [1, 2, 4] and curve[2]["judge"][0] == pytest.approx(curve[2]["oracle"])
    words = ["evaluate", "--data", str(planted_data), "--json"]
    assert json.loads(run.invoke(app, words).stdout)["songs"] == 750

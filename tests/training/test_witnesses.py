"""What a card must say of songs without a label or a group, of copies, and of figures that chance gives as well."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from optimizer.training import card
from optimizer.training.classify import train_classifier
from optimizer.training.data import read_data
from optimizer.training.outcome import judge
from optimizer.training.pairs import read_pairs
from optimizer.training.pairwise import train_pairwise
from optimizer.training.regress import train_regression
from optimizer.training.split import random_split
from optimizer.training.witnesses import witnesses


@pytest.fixture
def holed(tmp_path, write_data):
    """Songs of which some have no label, no artist or no genre, and some are copies under another artist's name."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 6)).astype(np.float32)
    artist = np.repeat(np.arange(50.0), 4)
    sha = np.array([f"{n:064x}" for n in range(200)], dtype=object)
    sha[[5, 9, 100]] = sha[0]
    sha[150] = None
    artist[20:30] = np.nan
    genre = np.where(np.arange(200) % 3 > 0, "rock", "folk").astype(object)
    genre[40:43] = None
    label = 5 + vectors[:, 0]
    label[60:67] = np.nan
    mood = np.where(vectors[:, 1] > 0, "calm", "wild")
    table = {"id": range(1000, 1200), "artist_id": artist, "genre": genre, "label": label, "mood": mood, "sha256": sha}
    return write_data(tmp_path / "data", vectors, pd.DataFrame(table))


def test_copies_tie_their_groups_together(holed):
    found = witnesses(read_data(holed), "artist_id")
    # Artists 0, 1, 2 and 25 share a recording.
    tied = [*range(12), *range(100, 104)]
    assert len(set(found.names[tied].tolist())) == 1 and set(np.flatnonzero(found.copies)) == {5, 9, 100}
    assert len(set(found.names.tolist())) == 50 - 3 - 2 + 10 - 1 + 1
    # Who has no artist is nobody's.
    assert found.alone.sum() == 10 and len(set(found.names[20:30].tolist())) == 10
    single = witnesses(read_data(holed), None)
    assert len(set(single.names.tolist())) == 197 and not single.alone.any()


def test_no_copy_is_on_two_sides_and_what_was_dropped_is_said(holed, tmp_path):
    data = read_data(holed)
    settings = {"group": "artist_id", "recipe": "ridge", "rounds": 20}
    found = train_regression(data, ["label"], tmp_path / "r", strata="genre", **settings)["label"]
    assert [found[word] for word in ("songs", "unlabelled", "ungrouped", "without_genre", "copies")] == [
        193, 7, 10, 3, 3,
    ]  # fmt: skip
    text = (tmp_path / "r" / "card.md").read_text()
    for line in (
        "7 songs without a label are left out.", "10 songs without a `artist_id` are each a group of their own.",
        "3 songs without a `genre` are in none.", "3 songs are copies of others, byte for byte",
    ):  # fmt: skip
        assert line in text
    split = pd.read_csv(tmp_path / "r" / "split.csv")
    assert split[split["sha256"] == f"{0:064x}"]["part"].nunique() == 1
    classes = train_classifier(data, "mood", tmp_path / "c", **settings)
    assert (classes["ungrouped"], classes["copies"], classes["unlabelled"]) == (10, 3, 0)
    assert "10 songs without a `artist_id`" in (tmp_path / "c" / "card.md").read_text()
    a, b = np.random.default_rng(1).integers(0, 200, (2, 4000))
    winner = np.where(data.vectors[a, 0] > data.vectors[b, 0], "a", "b")
    frame = pd.DataFrame({"a_id": a + 1000, "b_id": b + 1000, "winner": winner})[a != b]
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    choices = read_pairs(tmp_path / "pairs.csv", data)
    pairs = train_pairwise(data, choices, tmp_path / "p", **settings)
    assert (pairs["ungrouped"], pairs["copies"]) == (10, 3)
    assert "3 songs are copies" in (tmp_path / "p" / "card.md").read_text()
    split = pd.read_csv(tmp_path / "p" / "split.csv")
    assert split[split["sha256"] == f"{0:064x}"]["part"].nunique() == 1


def test_a_model_worse_than_a_constant_does_not_beat_it(tmp_path, write_data):
    rng = np.random.default_rng(0)
    y = rng.standard_normal(100)
    split = random_split(100)
    # Neighbours in number are opposites, so that the nearest id ranks worse than nothing.
    order = np.full(100, -1)
    order[split.test], order[np.setdiff1d(np.arange(100), split.test)] = np.arange(15) * 10, np.arange(85) * 10 + 1
    y[split.test] = np.arange(15)
    y[np.setdiff1d(np.arange(100), split.test)] = -np.arange(85)
    vectors = np.column_stack([y, rng.standard_normal(100)]).astype(np.float32)
    data = read_data(write_data(tmp_path / "d", vectors, pd.DataFrame({"id": order, "label": y})))
    # The worst of models, and one that is half as bad as the nearest id.
    rng = np.random.default_rng(3)
    for noise in (0.0, 12.0):
        bad = SimpleNamespace(predict=lambda x, noise=noise: -x[:, 0] + noise * rng.standard_normal(len(x)), note={})
        outcome = judge(data, y, [split], [(bad, bad)], np.arange(100), None, 0, 50)
        assert outcome.figures["nearest id"]["spearman"].value == pytest.approx(-1.0)
        assert outcome.rival == "constant" and outcome.gain.value < 0
        assert "does NOT beat" in card.verdict({"random": outcome})


def test_a_leak_has_an_interval_before_it_has_a_cause(tmp_path, write_data):
    rng = np.random.default_rng(2)
    artist = np.repeat(np.arange(40), 10)

    def classes(name, code, vectors):
        table = pd.DataFrame({"id": range(400), "label": np.array(["x", "y"])[code], "artist": artist})
        data = read_data(write_data(tmp_path / name, vectors.astype(np.float32), table))
        found = train_classifier(data, "label", tmp_path / f"{name}-head", group="artist", recipe="ridge", rounds=100)
        assert found["leak_interval"][1] <= found["leak"] <= found["leak_interval"][2]
        return found, (tmp_path / f"{name}-head" / "card.md").read_text().splitlines()[-1]

    effect = rng.standard_normal((400, 4))
    _, line = classes("honest", (effect[:, 0] > 0).astype(int), effect)
    assert line.endswith("no more than chance may do.")
    # The class is the artist's, whom the embedding names.
    code = rng.integers(0, 2, 40)[artist]
    voice = rng.standard_normal((40, 40))[artist] + 0.05 * rng.standard_normal((400, 40))
    found, line = classes("leaky", code, voice)
    assert found["leak_interval"][1] > 0 and "by having heard the same `artist` in training" in line


def test_a_leak_is_put_in_words():
    say = lambda *interval: card.leak_text("It shows", "that", interval, "cause", "easier")  # noqa: E731
    assert say(0.2, 0.1, 0.3) == "It shows 0.200 above that (0.200 [0.100, 0.300]): cause"
    assert say(-0.2, -0.3, -0.1).endswith("0.200 below that (-0.200 [-0.300, -0.100]): easier")
    assert say(0.2, -0.1, 0.3).endswith("no more than chance may do.")
    assert say(0.2, None, None).endswith("no more than chance may do.")

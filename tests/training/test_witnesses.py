"""What a card must say of songs without a label or a group, of copies, and of figures that chance gives as well."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from optimizer.errors import UsageError
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


@pytest.fixture
def twice(tmp_path, write_data):
    """Noise of which every song is there twice, under two artists, and nothing but its embedding says so."""
    rng = np.random.default_rng(5)
    vectors = np.tile(rng.standard_normal((200, 24)).astype(np.float32), (2, 1))
    # Songs of four artists are copied from four others.
    artist = np.concatenate([np.arange(200) // 5, 40 + np.arange(200) // 5])
    table = pd.DataFrame({"id": rng.permutation(100_000)[:400], "artist": artist, "label": np.tile(rng.random(200), 2)})
    table["mood"] = np.where(table["label"] > 0.5, "calm", "wild")
    return write_data(tmp_path / "twice", vectors, table)


def sides(folder):
    """Return in how many parts the songs of one embedding are, at most."""
    return pd.read_csv(folder / "split.csv").groupby("vector")["part"].nunique().max()


def test_equal_embeddings_are_copies_with_and_without_hashes(twice, tmp_path):
    data = read_data(twice)
    found = witnesses(data, "artist")
    assert found.copies.sum() == 200 and len(set(found.names.tolist())) == 40
    assert set(np.flatnonzero(found.copies)) == set(range(200, 400))
    # An audio of one hash and two embeddings ties these to its own, and only the earliest song is no copy.
    sha = [f"{row:064x}" for row in range(400)]
    sha[1] = sha[200]
    more = witnesses(type(data)(data.vectors, data.table.assign(sha256=sha), data.info, data.folder), None)
    assert more.copies.sum() == 201 and not more.copies[0] and len(set(more.names[[0, 1, 200, 201]].tolist())) == 1


@pytest.mark.parametrize("group", [None, "artist"])
@pytest.mark.parametrize("folds", [1, 4])
def test_copies_known_by_their_embedding_are_on_one_side(twice, tmp_path, group, folds):
    data = read_data(twice)
    settings = {"group": group, "folds": folds, "recipe": "ridge", "rounds": 40}
    regression = train_regression(data, ["label"], tmp_path / "r", **settings)["label"]
    classes = train_classifier(data, "mood", tmp_path / "c", **settings)
    for name, found in (("r", regression), ("c", classes)):
        assert sides(tmp_path / name) == 1 and found["copies"] == 200
        assert "200 songs are copies of others, byte for byte" in (tmp_path / name / "card.md").read_text()
        but = "side as those but in the random split." in (tmp_path / name / "card.md").read_text()
        assert but == (group is not None)
        kind = "grouped" if group else "random"
        if folds == 4:
            assert sum(found["splits"][kind]["songs"]) == 400
        # The random split beside a grouped one is there to show what copies and artists leak.
        assert found["splits"]["random"]["test_groups"] <= (30 if folds == 1 else 200) or group
    assert "group mean" not in regression["splits"]["random"]["figures"] or group
    assert "group's own" not in classes["splits"]["random"]["accuracy"] or group
    for gain in (regression["splits"][kind]["gain"], classes["splits"][kind]["balanced accuracy"]["gain"]):
        assert gain[1] <= 0


def test_songs_of_preferences_that_sound_the_same_are_on_one_side(twice, tmp_path):
    data = read_data(twice)
    a, b = np.random.default_rng(1).integers(0, 400, (2, 4000))
    winner = np.where(data.vectors[a, 0] > data.vectors[b, 0], "a", "b")
    ids = data.column("id")
    frame = pd.DataFrame({"a_id": ids[a], "b_id": ids[b], "winner": winner})[a % 200 != b % 200]
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    found = train_pairwise(data, read_pairs(tmp_path / "pairs.csv", data), tmp_path / "p", recipe="ridge", rounds=20)
    assert sides(tmp_path / "p") == 1 and found["copies"] == 200


def test_copies_leave_the_splits_of_other_songs_as_they_are():
    from optimizer.training.class_split import stratified_split
    from optimizer.training.split import spread
    from optimizer.training.witnesses import distinct

    first, song = distinct(np.arange(200).astype(str))
    assert first.tolist() == song.tolist() == list(range(200))
    code = np.arange(200) % 3
    for split in (random_split(200, 3), stratified_split(code, 3)):
        same = spread(split, song)
        assert [part.tolist() for part in same.parts] == [part.tolist() for part in split.parts]
        assert same.kind == split.kind
    first, song = distinct(np.array(["b", "a", "b", "c", "a"]))
    assert (first.tolist(), song.tolist()) == ([0, 1, 3], [0, 1, 0, 2, 1])


def test_copies_that_make_all_groups_one_are_named_as_the_reason(tmp_path, write_data):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 4)).astype(np.float32)
    # Every artist's last song is the next one's first.
    vectors[5::5] = vectors[4:-1:5]
    table = pd.DataFrame({"id": range(60), "artist": np.arange(60) // 5, "label": rng.random(60)})
    table["mood"] = np.where(table["label"] > 0.5, "calm", "wild")
    data = read_data(write_data(tmp_path / "d", vectors, table))
    said = r"12 values of `artist` make 1 group, for copies .* join them; 3 or more are needed"
    with pytest.raises(UsageError, match=said):
        train_regression(data, ["label"], tmp_path / "r", group="artist", recipe="ridge")
    with pytest.raises(UsageError, match=said):
        train_classifier(data, "mood", tmp_path / "c", group="artist", recipe="ridge")
    pd.DataFrame({"a_id": range(30), "b_id": range(30, 60), "winner": "a"}).to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(UsageError, match=said):
        pairs = read_pairs(tmp_path / "pairs.csv", data)
        train_pairwise(data, pairs, tmp_path / "p", group="artist", recipe="ridge")
    with pytest.raises(UsageError, match=r"12 values of `artist` make 1 group.* 20 or more are needed"):
        train_regression(data, ["label"], tmp_path / "r", group="artist", recipe="ridge", folds=4)
    data.vectors[:] = 1
    with pytest.raises(UsageError, match=r"60 songs make 1 group, for copies"):
        train_regression(data, ["label"], tmp_path / "r", recipe="ridge")


def test_copies_of_given_test_songs_teach_nothing(twice, tmp_path):
    data = read_data(twice)
    # The second of every pair is in the training part; a quarter of the first ones judge.
    data.table["part"] = np.where(np.arange(400) < 50, "test", "train")
    found = train_classifier(data, "mood", tmp_path / "c", recipe="ridge", rounds=40)
    assert found["splits"]["given"]["kept"] and sum(found["splits"]["given"]["songs"]) == 350
    assert not found["splits"]["given"]["balanced accuracy"]["gain"][1] > 0
    split = pd.read_csv(tmp_path / "c" / "split.csv")
    assert split.assign(judges=split["part"] == "test").groupby("vector")["judges"].nunique().max() == 1
    text = (tmp_path / "c" / "card.md").read_text()
    assert "50 songs of its training part are left out: copies of test songs." in text


def test_choices_that_are_always_foretold_do_not_make_certain(tmp_path):
    from optimizer.training.metrics import exact
    from optimizer.training.pairwise import _figures

    share = np.repeat([1.0, 0.0], 6)
    said = {"model": share - 0.5, "constant (always a)": np.ones(12), "even": np.zeros(12)}
    found, _ = _figures(said, ["constant (always a)", "even"], share, np.tile(np.arange(3), 4).astype(str), 0, 200)
    assert found["model"].to_list() == exact(1.0, [3]).to_list() == [1.0, 0.292402, 1.0]
    assert found["gain"].value == 0.5 and found["gain"].low < 0 and found["even"].to_list() == [0.5, 0.5, 0.5]

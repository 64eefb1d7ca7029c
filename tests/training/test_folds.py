"""Parts that judge in turn: every song is judged once, by a model that never heard it or its group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.errors import UsageError
from optimizer.training import head, network
from optimizer.training.classify import train_classifier
from optimizer.training.data import read_data
from optimizer.training.folds import divide, folds_by, folds_within
from optimizer.training.outcome import ranked
from optimizer.training.pairs import Pairs
from optimizer.training.pairwise import train_pairwise
from optimizer.training.regress import train_regression
from optimizer.training.split import random_split


@given(
    sizes=st.lists(st.integers(1, 9), min_size=10, max_size=30), count=st.integers(2, 5), seed=st.integers(0, 99)
)  # fmt: skip
def test_every_row_judges_once_and_no_group_is_on_two_sides(sizes, count, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    splits = folds_by(groups, count, seed)
    assert np.sort(np.concatenate([split.test for split in splits])).tolist() == list(range(len(groups)))
    for split in splits:
        assert np.sort(np.concatenate(split.parts)).tolist() == list(range(len(groups)))
        sides = [set(groups[part].tolist()) for part in split.parts]
        assert sum(map(len, sides)) == len(set(groups.tolist())) and all(sides)
    assert all(map(np.array_equal, splits[0].parts, folds_by(groups, len(splits), seed)[0].parts))


def test_a_group_too_large_for_a_part_teaches_the_head_that_is_written():
    groups = np.repeat(np.arange(21), [200] + [5] * 20)
    first, *_, last = folds_by(groups, 5, 0)
    assert 0 in groups[first.train] and set(groups[last.test].tolist()) >= {0}


@given(code=st.lists(st.integers(0, 3), min_size=12, max_size=80), seed=st.integers(0, 99))
def test_classes_have_their_share_of_every_part(code, seed):
    code = np.array(code)
    splits = folds_within(code, 4, seed)
    judged = np.concatenate([split.test for split in splits])
    sizes = np.bincount(code)
    assert len(set(judged.tolist())) == len(judged) == sizes[sizes > 1].sum()
    for one in np.unique(code):
        counts = [int((code[split.test] == one).sum()) for split in splits]
        assert max(counts) - min(counts) <= 1
        if sizes[one] != 1:
            assert all((code[split.train] == one).any() for split in splits if sizes[one] > 3)


def test_ranks_are_compared_within_a_part():
    truth = np.array([0.0, 1, 2, 10, 11, 12])
    fold = np.repeat([0, 1], 3)
    # What each part's model says of its own is right, though the first one's are all above the second one's.
    assert ranked(np.array([7.0, 8, 9, 1, 2, 3]), truth, fold) == pytest.approx(1.0)
    # A constant that knows the other part ranks nothing.
    assert ranked(np.repeat([11.0, 1.0], 3), truth, fold) == 0.0
    assert ranked(truth, truth, np.zeros(6)) == pytest.approx(1.0)


def test_parts_that_cannot_be_had_are_refused():
    one = random_split(100)
    for count in (0, 5, 21):
        with pytest.raises(UsageError, match=f"--folds {count} must be 1, or 2 to 4: .* there are 23"):
            divide(count, 23, lambda: one, lambda: [one])
    with pytest.raises(UsageError, match="--folds 2 must be 1: "):
        divide(2, 9, lambda: one, lambda: [one])
    empty = folds_within(np.zeros(2, dtype=int), 5, 0)
    with pytest.raises(UsageError, match="--folds 4 leaves nothing to learn from"):
        divide(4, 23, lambda: one, lambda: empty)
    assert divide(1, 3, lambda: one, list) == [one]


def test_all_songs_judge_a_regression(planted_data, tmp_path):
    cards = {}
    for folds in (1, 5):
        data = read_data(planted_data)
        out = tmp_path / str(folds)
        cards[folds] = train_regression(data, ["label"], out, group="artist_id", recipe="ridge", folds=folds)["label"]
    wide, narrow = (cards[folds]["splits"]["grouped"]["figures"]["model"]["spearman"] for folds in (1, 5))
    # Seven times as many artists judge.
    assert 1.5 < (wide[2] - wide[1]) / (narrow[2] - narrow[1]) < 5
    assert cards[5]["splits"]["grouped"]["test_groups"] == 150
    assert sum(row["n"] for row in cards[5]["splits"]["random"]["calibration"]["bins"]) == 750
    text = (tmp_path / "5" / "card.md").read_text()
    assert "5 parts judge in turn" in text and "means of the parts' own" in text
    assert "5 parts" not in (tmp_path / "1" / "card.md").read_text()


def test_all_songs_judge_classes_and_all_pairs_apart_judge_preferences(planted_data, tmp_path, monkeypatch):
    monkeypatch.setattr(head, "ROBUST", network.Recipe(hidden=(8,), epochs=3))
    data = read_data(planted_data)
    data.table["high"] = np.where(data.column("label") > 5, "yes", "no")
    told = []
    card = train_classifier(data, "high", tmp_path / "c", group="artist_id", recipe="ridge", folds=3,
                            on_epoch=lambda what, *_: told.append(what))  # fmt: skip
    for kind in ("random", "grouped"):
        assert np.sum(card["splits"][kind]["confusion"]) == 750 and card["splits"][kind]["folds"] == 3
    assert "3 parts judge in turn" in (tmp_path / "c" / "card.md").read_text()
    a, b = np.random.default_rng(0).integers(0, 750, (2, 4000))
    label = data.column("label")
    pairs = Pairs(a, b, (label[a] > label[b]).astype(float))
    card = train_pairwise(data, pairs, tmp_path / "p", group="artist_id", recipe="ridge", folds=4)
    artist = data.column("artist_id")
    judged = sum(row["n"] for row in card["splits"]["grouped"]["calibration"]["bins"])
    # A pair judges where both artists are of one part: a quarter, and every pair of one artist.
    assert judged / 4000 == pytest.approx(0.25, abs=0.03) and (artist[a] == artist[b]).sum() < judged
    assert sum(row["n"] for row in card["splits"]["random"]["calibration"]["bins"]) == 4000
    assert "4 parts judge in turn" in (tmp_path / "p" / "card.md").read_text()


def test_a_gain_in_doubt_names_the_way_out(plant, write_data, tmp_path):
    data = read_data(write_data(tmp_path / "few", *plant(artists=80, seed=12)))
    options = {"group": "artist_id", "recipe": "ridge", "seed": 2}
    doubtful = train_regression(data, ["label"], tmp_path / "1", **options)["label"]["verdict"]
    assert "NOT SHOWN" in doubtful and doubtful.endswith("Every song would judge with --folds 5.")
    sure = train_regression(data, ["label"], tmp_path / "5", folds=5, **options)["label"]["verdict"]
    assert sure.startswith("The audio model beats") and "--folds" not in sure

"""Classes on data whose structure is known: what is written, what is heard, and what is only remembered."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.scoring import open_scorer, prepare
from optimizer.scoring.heads import open_head
from optimizer.training import baselines, classifier, classify, network, softmax
from optimizer.training.class_card import confusion, reliability
from optimizer.training.class_split import given_split, grouped_by_class, stratified_split
from optimizer.training.data import read_data

NAMES = np.array(["Funk", "Nan", "r+b: x"])
"""Names that could be taken for a number, or for a part of the grammar of scorers."""

PUBLISHED = softmax.PUBLISHED


@pytest.fixture(autouse=True)
def short(monkeypatch):
    recipe = network.Recipe(hidden=(16,), epochs=30, patience=6, rate=1e-2)
    monkeypatch.setattr(softmax, "ROBUST", recipe)
    monkeypatch.setattr(softmax, "PUBLISHED", recipe)


def planted(artists=120, songs=4, audible=1.5, rare=0.12, seed=0):
    """Classes that artists keep to: a direction per class that all songs share, and the artist's own voice."""
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(artists), songs)
    code = rng.choice(3, artists, p=[0.55, 0.45 - rare, rare])[artist]
    voice = 1.5 * rng.standard_normal((artists, 8))[artist]
    heard = rng.standard_normal((len(artist), 4)) + audible * np.eye(4)[code]
    ids = np.sort(rng.choice(100_000, len(artist), replace=False))
    table = pd.DataFrame({"id": ids, "label": NAMES[code], "artist_id": artist})
    return np.column_stack([heard, voice]).astype(np.float32), table, code


@pytest.fixture
def data(tmp_path, write_data):
    vectors, table, _ = planted()
    return read_data(write_data(tmp_path / "data", vectors, table))


def train(data, out, **options):
    return classify.train_classifier(data, "label", out, **{"group": "artist_id", "members": 2, "rounds": 80} | options)


@pytest.mark.parametrize("recipe", ["robust", "published", "ridge"])
def test_classes_are_learned_by_every_recipe(data, tmp_path, recipe):
    card = train(data, tmp_path / "c", recipe=recipe)
    grouped, by_chance = card["splits"]["grouped"], card["splits"]["random"]
    assert grouped["balanced accuracy"]["model"][1] > 0.4
    assert card["verdict"].startswith("The audio model beats") and "grouped" in card["verdict"]
    # The artist alone tells the class of songs drawn at random, and nothing of a new artist's.
    assert by_chance["balanced accuracy"]["group's own"][0] > 0.95
    assert by_chance["balanced accuracy"]["nearest id"][0] > 0.6
    assert grouped["balanced accuracy"]["group's own"][0] == pytest.approx(1 / 3)
    assert by_chance["no_audio"] == "group's own"
    matrix = np.array(grouped["confusion"])
    truth = np.bincount(np.searchsorted(NAMES, data.column("label")[grouped_by_class_rows(data)]), minlength=3)
    assert matrix.sum(axis=1).tolist() == truth.tolist()
    assert np.trace(matrix) / matrix.sum() == pytest.approx(grouped["accuracy"]["model"][0], abs=1e-6)
    config = json.loads((tmp_path / "c" / "head.json").read_text())
    assert card["recipe"] == config["recipe"] == recipe and config["licence"] == "none"
    text = (tmp_path / "c" / "card.md").read_text()
    assert text.startswith(card["verdict"]) and f"recipe `{recipe}`" in text and "Calibration" in text
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "card.json", "card.md", "head.json", "head.safetensors", "split.csv",
    ]  # fmt: skip
    notes = grouped["training"]
    if recipe == "ridge":
        assert set(notes) == {"penalty"}
        assert grouped["accuracy"]["model"] == grouped["accuracy"]["ridge"]
    else:
        # Nothing more is to be heard after a few epochs, and the training says so.
        assert len(notes["epochs"]) == (2 if recipe == "robust" else 1) and min(notes["epochs"]) < 30


def grouped_by_class_rows(data):
    codes = np.unique(data.column("label").astype(str), return_inverse=True)[1]
    return grouped_by_class(data.column("artist_id").astype(str), codes, 0).test


def test_recipes_differ_in_what_they_do(data):
    x, code = data.vectors, np.searchsorted(NAMES, data.column("label").astype(str))
    fits = {name: softmax.fit(name, x[:300], code[:300], x[300:], code[300:], 3, members=2) for name in softmax.RECIPES}
    # The published network hears the embedding as it is.
    assert fits["published"].mean is None and fits["robust"].mean is not None
    assert (len(fits["published"].members), len(fits["ridge"].members)) == (1, 1)
    assert fits["robust"].note["blend"] in ("network", "blend", "ridge")
    with pytest.raises(UsageError, match=r"recipe 'publishd' must be one of robust, published, ridge.*'published'"):
        softmax.fit("publishd", x, code, x, code, 3)


def test_published_is_a_hidden_layer_of_128_on_the_published_schedule():
    shape = network.Recipe(hidden=(128,), dropout=0.3, norm="batch")
    assert shape == PUBLISHED == network.Recipe(hidden=(128,), rate=1e-3, decay=1e-4, epochs=200, batch=64, patience=20)


def test_the_folder_is_a_scorer_of_each_class(data, tmp_path, monkeypatch, write_audio):
    train(data, tmp_path / "c", recipe="ridge")
    kept = classifier.open_classifier(tmp_path / "c")
    truth = softmax_of(kept.logits(data.vectors[:20]))
    for number, name in enumerate(NAMES):
        spec = prepare(f"{tmp_path / 'c'}:{name}")
        assert spec.identity["name"] == f"label:{name}"
        head = open_head(tmp_path / "c", spec.config["target"])
        for row, vector in enumerate(data.vectors[:20]):
            value, parts = head.judge(vector)
            assert value == pytest.approx(10 * truth[row, number], abs=1e-4)
            assert 10 / (1 + np.exp(-parts["raw"])) == pytest.approx(value, abs=1e-6)
    either = open_head(tmp_path / "c", prepare(str(tmp_path / "c")).config["target"])
    value, parts = either.judge(data.vectors[0])
    assert list(parts) == list(NAMES) and value == max(parts.values())
    assert sum(parts.values()) == pytest.approx(10)


def softmax_of(logits):
    raised = np.exp(logits)
    return raised / raised.sum(axis=1, keepdims=True)


def test_within_a_study_the_folder_stands_for_its_genre(data, tmp_path):
    data.table["label"] = data.table["label"].replace({"Nan": "Hip Hop"})
    train(data, tmp_path / "c", recipe="ridge")
    folder = str(tmp_path / "c")
    assert prepare(folder, {"genres": ("hip-hop",)}).identity["name"] == "label:Hip Hop"
    assert prepare(f"{folder}:2+acoustic", {"genres": ["funk"]}).identity["terms"].keys() == {"label:Funk", "acoustic"}
    assert prepare(f"{folder}:funk", {"genres": ("bhangra",)}).identity["name"] == "label:Funk"
    with pytest.raises(UsageError, match="'bhangra' is not one of its classes") as caught:
        prepare(folder, {"genres": ("bhangra",)})
    assert "Funk, Hip Hop, r+b: x" in str(caught.value.next_step) and f"{folder}:CLASS" in str(caught.value.next_step)
    with pytest.raises(UsageError, match="2 genres are not one"):
        prepare(folder, {"genres": ("funk", "hip-hop")})


def test_songs_are_scored_by_class_alone_and_in_a_panel(corpus_folder, tmp_path):
    from optimizer.training.corpus import read_corpus
    from optimizer.training.embed import embed, open_space

    embed(read_corpus(corpus_folder), tmp_path / "data", open_space("acoustic", {}))
    train(read_data(tmp_path / "data"), tmp_path / "c", recipe="ridge", group=None)
    song = corpus_folder / "a" / "000.wav"
    first, second = (open_scorer(prepare(f"{tmp_path / 'c'}:{name}")).score([song])[0]["value"] for name in "ab")
    assert first + second == pytest.approx(10)
    panel = prepare(f"{tmp_path / 'c'}:a:3+{tmp_path / 'c'}:b")
    assert open_scorer(panel).score([song])[0]["value"] == pytest.approx((3 * first + second) / 4)
    whole = open_scorer(prepare(str(tmp_path / "c"))).score([song])[0]
    assert whole["value"] == pytest.approx(max(first, second)) and whole["parts"]["a"] == pytest.approx(first)


def test_each_class_counts_alike(tmp_path, write_data):
    # One in twenty, and the classes overlap: unweighted, saying "common" of everything would be right nearly always.
    rng = np.random.default_rng(2)
    code = np.repeat([0, 1], [760, 40])
    vectors = (rng.standard_normal((800, 3)) + 1.5 * np.eye(3)[code]).astype(np.float32)
    table = pd.DataFrame({"id": rng.permutation(10_000)[:800], "label": np.array(["common", "rare"])[code]})
    data = read_data(write_data(tmp_path / "d", vectors, table))
    for recipe in softmax.RECIPES:
        card = train(data, tmp_path / recipe, group=None, recipe=recipe)
        common, rare = np.array(card["splits"]["random"]["confusion"])
        # The two means lie 1.5 * sqrt(2) apart: half of that is where both classes are right 86 times in 100.
        assert rare[1] / rare.sum() > 0.6 and common[0] / common.sum() > 0.7
        assert "No group was named" in card["verdict"]
        # As many songs of each class, whatever their number, are in every part.
        assert rare.sum() == 6 and common.sum() == 114


def test_probabilities_come_true(tmp_path):
    rng = np.random.default_rng(3)
    code = rng.integers(0, 2, 3000)
    x = (rng.standard_normal((3000, 2)) + np.eye(2)[code]).astype(np.float32)
    truth = 1 / (1 + np.exp(-(x[:, 1] - x[:, 0]).astype(float)))
    model = softmax.fit("robust", x[:1000], code[:1000], x[1000:2000], code[1000:2000], 2, members=2)
    found = softmax_of(model.logits(x[2000:]))[:, 1]
    assert np.abs(found - truth[2000:]).mean() < 0.05
    assert reliability(softmax_of(model.logits(x[2000:])), code[2000:])["error"] < 0.06
    # Logits five times too sure are brought back.
    assert softmax.temperature(3 * np.log(np.column_stack([1 - truth, truth])), code, np.ones(2)) == pytest.approx(
        3, rel=0.1
    )


def test_without_an_audible_effect_the_first_line_says_so(tmp_path, write_data):
    vectors, table, _ = planted(audible=0.0, seed=4)
    card = train(read_data(write_data(tmp_path / "d", vectors, table)), tmp_path / "c")
    assert "NOT" in card["verdict"].split("no-audio")[0] and card["leak"] > 0


def test_songs_without_a_label_are_left_out(data, tmp_path):
    data.table.loc[:9, "label"] = None
    card = train(data, tmp_path / "c", recipe="ridge")
    assert card["unlabelled"] == 10 and card["songs"] == 470 and card["classes"] == list(NAMES)


def test_row_numbers_are_no_ids(data):
    assert baselines.song_ids(data) is not None
    data.table["id"] = range(len(data.table))
    assert baselines.song_ids(data) is None


def test_columns_that_are_no_classes_are_refused(data, tmp_path):
    with pytest.raises(UsageError, match=r"480 classes for 480 songs.*2 or more"):
        classify.train_classifier(data, "id", tmp_path / "c")
    data.table["one"] = "same"
    with pytest.raises(UsageError, match="1 classes for 480 songs"):
        classify.train_classifier(data, "one", tmp_path / "c")
    with pytest.raises(UsageError, match="is no trained classifier"):
        classifier.open_classifier(tmp_path)
    assert not (tmp_path / "c").exists()


def test_splits_keep_what_they_promise():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    code = rng.choice(3, 60, p=[0.7, 0.2, 0.1])[groups]
    for split in (stratified_split(code, 1), grouped_by_class(groups, code, 1)):
        parts = [split.train, split.validation, split.test]
        assert sorted(np.concatenate(parts)) == list(range(300))
        assert all(len(np.unique(code[part])) == 3 for part in parts)
    assert not set(groups[split.train]) & set(groups[split.test])
    assert not set(groups[split.train]) & set(groups[split.validation])
    assert confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


def test_a_given_split_is_kept_and_chosen_by_whole_captions(tmp_path, write_data):
    vectors, table, code = planted(artists=60)
    table["caption"] = [f"{one} {number % 10}" for number, one in enumerate(code)]
    table["part"] = np.where(table["caption"].str.endswith("9"), "test", "train")
    data = read_data(write_data(tmp_path / "d", vectors, table, split_by="caption"))
    split = given_split(data, code, 0)
    captions = table["caption"].to_numpy()
    assert set(captions[split.test]) == {"0 9", "1 9", "2 9"}
    assert not set(captions[split.validation]) & set(captions[split.train])
    assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(range(240))
    card = train(data, tmp_path / "c", group=None, recipe="ridge")
    assert list(card["splits"]) == ["random", "given"] and card["splits"]["given"]["kept"]
    assert "under the given split" in card["verdict"] and card["given_by"] == "caption"
    assert "over values of `caption`" in (tmp_path / "c" / "card.md").read_text()
    # Three captions are three witnesses, however many songs have them.
    alone = train(read_data(write_data(tmp_path / "e", vectors, table)), tmp_path / "f", group=None, recipe="ridge")
    wide, narrow = (one["splits"]["given"]["accuracy"]["model"] for one in (card, alone))
    assert wide[2] - wide[1] != narrow[2] - narrow[1] and alone["interval_over"] is None


def test_the_same_seed_gives_the_same_folder(data, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(data, tmp_path / name, seed=seed, rounds=20)
    files = {name: (tmp_path / name / "head.safetensors").read_bytes() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]


def test_the_command_says_how_the_folder_is_used(data, tmp_path):
    words = ["train", "--task", "classification", "--data", str(data.folder), "--recipe", "ridge", "--out"]
    result = CliRunner().invoke(app, [*words, str(tmp_path / "c")])
    assert result.exit_code == 0, result.output
    assert f"--scorer {tmp_path / 'c'}:CLASS, CLASS being one of Funk, Nan, r+b: x." in result.stdout
    result = CliRunner().invoke(app, [*words, str(tmp_path / "d"), "--pairs", "p.csv"])
    assert isinstance(result.exception, UsageError) and "--pairs p.csv means nothing to --task classification" in str(
        result.exception
    )
    result = CliRunner().invoke(app, [*words[:-3], "--recipe", "robbust", "--out", str(tmp_path / "d")])
    assert "recipe 'robbust' must be one of" in str(result.exception)


def test_an_earlier_head_never_stands_beside_a_later_card(data, tmp_path, monkeypatch):
    from optimizer.training import folder

    train(data, tmp_path / "c", recipe="ridge", rounds=10)

    def killed(*rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_head", killed)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "c", recipe="ridge", rounds=10, seed=1)
    assert json.loads((tmp_path / "c" / "card.json").read_text())["seed"] == 1
    with pytest.raises(UsageError, match="is no trained classifier"):
        classifier.open_classifier(tmp_path / "c")


def test_where_every_song_is_right_the_interval_is_exact_and_no_point():
    from optimizer.training.class_card import accuracies
    from optimizer.training.metrics import exact

    # 3 of 3, by Clopper and Pearson: 0.025 ** (1 / 3); all wrong is its mirror image; half of 4 is their tabled one.
    assert exact(1.0, [3]).to_list() == pytest.approx([1, 0.292402, 1], abs=1e-6)
    assert exact(0.0, [3]).to_list() == pytest.approx([0, 0, 0.707598], abs=1e-6)
    assert exact(0.5, [4]).to_list() == pytest.approx([0.5, 0.067586, 0.932414], abs=1e-6)
    # Even classes know as much as their songs together; of a class with one witness hardly anything is known.
    assert exact(1.0, [5, 5]).low == pytest.approx(exact(1.0, [10]).low)
    assert exact(1.0, [1, 1000]).low == pytest.approx(0.5 + 0.025 / 2, abs=0.003)
    # No rates of two classes at which "all right" would be likelier than 2.5 % have a lower mean.
    p = np.linspace(0.025**0.5, 1, 4001)
    q = (0.025 / p**2) ** (1 / 7)
    assert exact(1.0, [2, 7]).low == pytest.approx(((p + q) / 2).min(), abs=1e-4)

    code = np.repeat([0, 1], 20)
    said = {"model": code, "wrong": 1 - code, "constant": np.zeros(40, dtype=int)}
    groups = np.tile(np.arange(4), 10)
    _, found = accuracies(said, ["constant"], code, groups, 0, 200)
    for word in ("accuracy", "balanced accuracy"):
        assert found[word]["model"].to_list() == pytest.approx(exact(1.0, [4]).to_list())
        assert found[word]["wrong"].to_list() == pytest.approx(exact(0.0, [4]).to_list())
    # What a constant gets of two classes is known without songs; what the model gains on it, is not.
    assert found["balanced accuracy"]["constant"].to_list() == [0.5, 0.5, 0.5]
    gain = found["balanced accuracy"]["gain"]
    assert gain.to_list() == pytest.approx([0.5, exact(1.0, [4]).low - 0.5, 0.5], abs=1e-6)
    # One group says nothing still.
    _, found = accuracies(said, ["constant"], code, np.zeros(40), 0, 200)
    assert found["accuracy"]["model"].to_list() == [1.0, None, None]


def test_a_card_says_where_groups_are_too_few(tmp_path, write_data):
    vectors, table, _ = planted(artists=30)
    data = read_data(write_data(tmp_path / "d", vectors, table))
    card = train(data, tmp_path / "c", recipe="ridge")
    few = card["splits"]["grouped"]["test_groups"]
    assert 2 < few < 10 and f"Groups in the test part: {few}, too few for intervals to be trusted." in card["verdict"]
    card = train(data, tmp_path / "c", recipe="ridge", folds=3)
    assert card["splits"]["grouped"]["test_groups"] == 30 and "too few" not in card["verdict"]

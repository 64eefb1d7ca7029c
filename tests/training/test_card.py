"""The report card on worlds of a known make: what it must show, and what it must not claim."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer.cli.main import app
from optimizer.training import card
from optimizer.training.data import read_data
from optimizer.training.head import fit_ridge
from optimizer.training.metrics import Figure, bootstrap, calibration, difference, spearman, within
from optimizer.training.regress import train_regression


def ridge_card(folder, out, **options):
    settings = {"group": "artist_id", "strata": "genre", "recipe": "ridge", "rounds": 100}
    return train_regression(read_data(folder), ["label"], out, **settings | options)["label"]


def world(seed, *, artists=150, songs=5, audible=1.0, leak=1.0, levels=0.0, genres=2):
    """Songs' own effect is one direction; fame is the artist's, whom other directions name; levels are the genres'."""
    rng = np.random.default_rng(seed)
    artist = np.repeat(np.arange(artists), songs)
    genre = artist % genres
    effect, fame = rng.standard_normal(len(artist)), rng.standard_normal(artists)[artist]
    voice = rng.standard_normal((artists, 12))[artist] + 0.2 * rng.standard_normal((len(artist), 12))
    heard_genre = np.eye(genres)[genre] + 0.05 * rng.standard_normal((len(artist), genres))
    own = audible * effect + leak * fame + 0.8 * rng.standard_normal(len(artist))
    label = np.clip(5 + 0.8 * own + levels * np.linspace(-1, 1, genres)[genre], 0, 10)
    vectors = np.column_stack([effect, heard_genre, voice]).astype(np.float32)
    table = pd.DataFrame({"id": np.arange(len(artist)), "artist_id": artist, "genre": genre, "label": label})
    return vectors, table, 6 / np.pi * np.arcsin(audible / np.sqrt(audible**2 + leak**2 + 0.64) / 2)


WORLDS = {
    "both": {"artists": 300},
    "audio": {"leak": 0.0},
    "leak": {"audible": 0.0, "leak": 1.5},
    "noise": {"audible": 0.0, "leak": 0.0},
    "levels": {"genres": 8, "levels": 4.0, "artists": 240},
}


@pytest.mark.parametrize("name", WORLDS)
def test_what_was_planted_is_within_the_interval(name, tmp_path, write_data):
    vectors, table, truth = world(7, **WORLDS[name])
    found = ridge_card(write_data(tmp_path / "data", vectors, table), tmp_path / "head")
    grouped, chance = (found["splits"][kind]["figures"] for kind in ("grouped", "random"))
    _, low, high = grouped["model"]["within genre"]
    assert low <= truth <= high
    leaky = name in ("both", "leak", "levels")
    # Without audio, an artist heard in training tells the label of the next song, and a new one nothing.
    assert (chance["group mean"]["within genre"][1] > 0.1) == leaky
    assert grouped["group mean"]["within genre"] == [0.0, 0.0, 0.0]
    low = found["leak_interval"][1]
    assert found["leak"] == pytest.approx(found["leak_interval"][0], abs=1e-6)
    if name == "audio":
        assert low < 0 < found["leak_interval"][2]
    heard = name in ("both", "audio")
    assert found["verdict"].startswith("The audio model beats") == heard
    if name == "levels":
        # The genre's name alone ranks better than a ridge can hear; what it hears within genres is said all the same.
        assert found["splits"]["grouped"]["no_audio"] == "genre mean"
    assert "Within genre its Spearman is" in found["verdict"]


def test_a_flexible_model_shows_the_leak_itself(tmp_path, write_data):
    # A wide voice names every artist, so that a line can learn them by heart.
    rng = np.random.default_rng(0)
    vectors, table, _ = world(3, artists=60, songs=10, audible=0.0, leak=2.0)
    vectors = np.column_stack([vectors, np.eye(60)[table["artist_id"]] + 0.05 * rng.standard_normal((600, 60))])
    found = ridge_card(write_data(tmp_path / "data", vectors.astype(np.float32), table), tmp_path / "head")
    assert found["leak_interval"][1] > 0.2 and "NOT" in found["verdict"].split("no-audio")[0]
    text = (tmp_path / "head" / "card.md").read_text()
    assert "what the model gains by having heard the same `artist_id` in training" in text
    assert "Without hearing anything `group mean` reaches" in text


def test_one_group_in_the_test_part_claims_nothing(tmp_path, write_data):
    vectors, table, _ = world(0, artists=5, songs=60)
    found = ridge_card(write_data(tmp_path / "data", vectors, table), tmp_path / "head")
    assert found["splits"]["grouped"]["test_groups"] == 1
    assert found["splits"]["grouped"]["figures"]["model"]["spearman"][1:] == [None, None]
    assert "NOT SHOWN" in found["verdict"] and "[no interval]" in found["verdict"]
    assert "Groups in the test part: 1, too few" in found["verdict"]
    assert "no more than chance may do" in (tmp_path / "head" / "card.md").read_text()
    json.dumps(found, allow_nan=False)


def test_a_giant_group_teaches_and_a_song_twice_is_no_trouble(tmp_path, write_data):
    vectors, table, truth = world(1, artists=100, songs=6)
    table["artist_id"] = np.where(table["artist_id"] < 60, 0, table["artist_id"])
    table["id"] = table["id"] // 3
    found = ridge_card(write_data(tmp_path / "data", vectors, table), tmp_path / "head")
    split = found["splits"]["grouped"]
    assert split["songs"][0] >= 360 and split["test_groups"] >= 10
    assert split["figures"]["model"]["spearman"][1] <= truth <= split["figures"]["model"]["spearman"][2]


def test_the_splits_stand_side_by_side(tmp_path, write_data):
    vectors, table, _ = world(0, artists=40)
    found = ridge_card(write_data(tmp_path / "data", vectors, table), tmp_path / "head")
    text = (tmp_path / "head" / "card.md").read_text()
    assert text.splitlines()[0] == found["verdict"]
    (row,) = [line for line in text.split("## Mean absolute error")[0].splitlines() if line.startswith("| ridge")]
    figures = [found["splits"][kind]["figures"]["ridge"]["spearman"] for kind in ("random", "grouped")]
    assert row == f"| ridge | {' | '.join(map(card.figure_text, figures))} |"
    for kind in ("random", "grouped"):
        assert f"![Residuals, {kind} split](residuals-{kind}.svg)" in text
        ElementTree.parse(tmp_path / "head" / f"residuals-{kind}.svg")


def test_the_ridge_speaks_in_the_labels_unit_whatever_its_penalty():
    # With so little to hear the strongest penalty ranks best, and shrinks what it says to nothing.
    rng = np.random.default_rng(2)
    for _ in range(5):
        x = rng.standard_normal((80, 40))
        y = 5 + x.sum(axis=1) / np.sqrt(40) + rng.standard_normal(80)
        model = fit_ridge(x[:50], y[:50], x[50:], y[50:])
        slope = np.polyfit(model.predict(x[50:]), y[50:], 1)[0]
        assert slope == pytest.approx(1.0, abs=0.01)


def test_residuals_are_drawn_for_any_predictions():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(3000)
    for prediction in (truth * 0.5 + 3, np.full(3000, 4.0), truth * 1e-7, truth * 1e6):
        root = ElementTree.fromstring(card.residuals(prediction, truth))
        space = "{http://www.w3.org/2000/svg}"
        dots = root.findall(f".//{space}circle")
        assert len(dots) == 1500
        assert all(52 <= float(dot.get("cx")) <= 588 and 34 <= float(dot.get("cy")) <= 300 for dot in dots)
        for label in root.findall(f"{space}text"):
            assert "nan" not in "".join(label.itertext())
    assert card._ticks(-2.3, 2.3) == [-2.0, -1.0, 0.0, 1.0, 2.0] and card._ticks(4.13, 4.29)[0] == 4.15


def test_calibration_is_least_squares_and_bins():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(400)
    prediction = 0.5 * truth + 0.2 * rng.standard_normal(400)
    found = calibration(prediction, truth)
    assert found["slope"] == pytest.approx(np.polyfit(prediction, truth, 1)[0], abs=1e-5)
    assert found["slope_interval"][1] < found["slope"] < found["slope_interval"][2]
    assert found["spread"] == pytest.approx(prediction.std() / truth.std())
    order = np.argsort(prediction)
    assert found["bins"][0]["true"] == pytest.approx(truth[order[:80]].mean())
    flat = calibration(np.full(400, 2.0), truth)
    assert flat["slope"] is None and card._slope(flat) == "Calibration: predictions do not differ."
    assert "hardly differ" in card._slope(calibration(1e-3 * prediction, truth))


def test_intervals_of_few_groups_reach_further():
    rng = np.random.default_rng(0)
    inside = 0
    for number in range(150):
        group = np.repeat(np.arange(5), 4)
        value = rng.standard_normal(5)[group]
        found = bootstrap(lambda rows, v=value: {"x": float(v[rows].mean())}, group, seed=number, rounds=200)["x"]
        inside += found.low <= 0 <= found.high
    # A plain percentile interval holds the truth in 83 of a hundred such worlds.
    assert 0.88 <= inside / 150 <= 0.97
    one = bootstrap(lambda rows: {"x": 1.0}, np.zeros(5))["x"]
    assert one.to_list() == [1.0, None, None] and str(one) == "1.000 [no interval]"


def test_the_difference_of_two_figures_adds_their_reaches():
    found = difference(Figure(0.7, 0.6, 0.8), Figure(0.4, 0.2, 0.5))
    assert found.to_list() == pytest.approx([0.3, 0.3 - np.hypot(0.1, 0.1), 0.3 + np.hypot(0.1, 0.2)], abs=1e-6)


def test_rank_correlation_is_scipys():
    from scipy import stats

    rng = np.random.default_rng(0)
    for ties in (False, True):
        a, b = rng.standard_normal((2, 60))
        a = np.round(a) if ties else a
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    strata = np.repeat([0, 1, 2], [30, 26, 4])
    parts = [stats.spearmanr(a[strata == k], b[strata == k]).statistic for k in (0, 1)]
    assert within(a, b, strata) == pytest.approx((30 * parts[0] + 26 * parts[1]) / 56)


def test_the_commands(tmp_path, planted_data):
    words = ["train", "--data", str(planted_data), "--target", "label", "--group", "artist_id", "--recipe", "ridge",
             "--out", str(tmp_path / "h")]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "The audio model" in result.stdout.splitlines()[0], result.output
    result = CliRunner().invoke(app, ["evaluate", "--data", str(planted_data), "--json"])
    assert json.loads(result.stdout)["songs"] == 750

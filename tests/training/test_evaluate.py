"""Figures of judges and sets: each against a count by hand, intervals against made worlds whose truth is known."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from optimizer import selection
from optimizer.cli.main import app
from optimizer.errors import UsageError
from optimizer.training.agreement import agreement, share_interval
from optimizer.training.choices import read_choices
from optimizer.training.data import read_data
from optimizer.training.evaluate import best_of
from optimizer.training.sets import frechet, frechet_infinity, set_figures


def run(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def invoke(*words):
    return json.loads(run(*words, "--json"))


def test_ties_of_people_are_apart_and_equal_scores_half_right():
    a, b = np.array([2.0, 1, 5, 5, 3]), np.array([1.0, 2, 5, 1, 1])
    share = np.array([1.0, 1.0, 0.0, 1.0, 0.5])
    found = agreement(a, b, share)
    assert found["accuracy"][0] == pytest.approx(2.5 / 4)
    assert (found["pairs"], found["decided"], found["ties"], found["even"], found["songs"]) == (5, 4, 1, 1, 10)
    with pytest.raises(UsageError, match=r"every pair is a tie"):
        agreement(a, b, np.full(5, 0.5))


def test_figures_by_system_are_those_counted_by_hand():
    rng = np.random.default_rng(0)
    n, names = 400, np.array(["one", "three", "two"])
    made = names[rng.integers(0, 3, (2, n))]
    scores = rng.integers(0, 4, (2, n)).astype(float)
    share = rng.choice([0.0, 0.5, 1.0], n)
    found = agreement(*scores, share, systems=(made[0], made[1]))
    assert set(found["systems"]) == set(names)
    assert [one["systems"] for one in found["matchups"]] == [
        list(p) for p in itertools.combinations_with_replacement(names, 2)
    ]

    def counted(ours, of, against=None):
        points, agreed, won, thought = [], 0, [], []
        for row in range(n):
            x, y = made[0][row], made[1][row]
            if (of not in (x, y)) if against is None else (sorted((x, y)) != sorted((of, against))):
                continue
            agreed += 1
            said = 0.5 + np.sign(scores[0][row] - scores[1][row]) / 2
            if share[row] != 0.5:
                points.append(0.5 if said == 0.5 else float(said == share[row]))
            if x != y:
                won.append(share[row] if x == of else 1 - share[row])
                thought.append(said if x == of else 1 - said)
        assert ours["pairs"] == agreed and ours["decided"] == len(points)
        assert ours["accuracy"][0] == pytest.approx(np.mean(points), abs=1e-6)
        for word, values in (("win_rate", won), ("scorer_win_rate", thought)):
            assert ours[word][0] == (pytest.approx(np.mean(values), abs=1e-6) if values else None)

    for name, ours in found["systems"].items():
        counted(ours, name)
    for ours in found["matchups"]:
        counted(ours, *ours["systems"])


def test_the_variance_is_the_sum_over_all_dependent_pairs_of_pairs():
    from optimizer.training.agreement import _dependent

    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 12, (2, 90))
    left, right = left[left != right], right[left != right]
    off, columns = rng.standard_normal(len(left)), [rng.integers(0, 30, len(left)), rng.integers(0, 25, len(left))]
    for clusters in ([], columns[:1], columns):
        shared = sum((x[:, None] == y) for x in (left, right) for y in (left, right)) > 0
        for column in clusters:
            shared |= column[:, None] == column
        assert _dependent(off, left, right, clusters) == pytest.approx(off @ shared @ off)


def coverage(songs, draw, truth, rounds=250):
    rng = np.random.default_rng(5)
    inside = {"ours": 0, "independent": 0}
    for _ in range(rounds):
        worth = rng.standard_normal(songs)
        heard = worth + rng.standard_normal(songs)
        left, right = draw(rng)
        won = rng.random(len(left)) < 1 / (1 + np.exp(2 * (worth[right] - worth[left])))
        values = ((heard[left] > heard[right]) == won).astype(float)
        for name, (x, y) in {"ours": (left, right), "independent": np.arange(2 * len(left)).reshape(2, -1)}.items():
            found = share_interval(values, x, y)
            inside[name] += found.low <= truth <= found.high
    return {name: count / rounds for name, count in inside.items()}


def test_intervals_hold_the_truth_where_songs_occur_again():
    # The truth, 0.706, is the accuracy over songs without end; benchmarks/evaluation.py has more worlds.
    often = coverage(30, lambda rng: np.triu_indices(30, 1), 0.706)
    assert often["ours"] > 0.9 and often["independent"] < 0.75
    once = coverage(120, lambda rng: rng.permutation(120).reshape(2, -1), 0.706)
    assert 0.92 < once["ours"] <= 0.98


def test_a_rater_of_all_pairs_is_one_witness():
    rng = np.random.default_rng(0)
    rater = np.repeat(np.arange(6), 50)
    values = (rng.random(300) < np.array([0.9, 0.9, 0.9, 0.2, 0.2, 0.2])[rater]).astype(float)
    left, right = np.arange(600).reshape(2, -1)
    alone, by_rater = share_interval(values, left, right), share_interval(values, left, right, [rater])
    assert by_rater.high - by_rater.low > 4 * (alone.high - alone.low)
    # One rater throughout, or each pair its own: nothing is shared that could be told.
    for column in (np.zeros(300), np.arange(300)):
        assert share_interval(values, left, right, [column]) == alone


def test_pairs_that_all_agree_do_not_make_certain():
    left, right = np.arange(20).reshape(2, -1)
    few = share_interval(np.ones(10), left, right)
    assert few.high == 1.0 and 0.5 < few.low < 0.8
    # A song that meets nine others nine times over is not ninety songs.
    again = share_interval(np.ones(45), *np.triu_indices(10, 1))
    assert again.low < 0.7


def write_pairs(folder, rows, **columns):
    frame = pd.DataFrame(rows, columns=["a_path", "b_path", "winner"]).assign(**columns)
    frame.to_csv(folder / "pairs.csv", index=False)
    return folder / "pairs.csv"


def test_choices_know_both_systems_and_their_raters(tmp_path, write_data):
    rows = [
        ("x.wav", "y.wav", " A"),
        ("y.wav", "z.wav", "right"),
        ("z.wav", "z.wav", "tie"),
        ("x.wav", "gone.wav", "b"),
    ]
    file = write_pairs(tmp_path, rows, rater=["p", "q", "q", "p"], a_system="s", b_system=["s", "t", "t", "s"])
    found = read_choices(file)
    # The song that meets itself is lost.
    assert (len(found.a), found.lost, list(found.share)) == (3, 1, [1.0, 0.0, 0.0])
    assert [side.tolist() for side in found.systems] == [["s"] * 3, ["s", "t", "s"]]
    assert {name: list(column) for name, column in found.clusters.items()} == {"rater": ["p", "q", "p"]}
    frame = pd.read_csv(file)
    frame.iloc[[3, 0, 1, 2]].to_csv(file, index=False)
    table = pd.DataFrame({"path": [str(tmp_path / f"{n}.wav") for n in "wxyz"], "system": list("WXYZ")})
    data = read_data(write_data(tmp_path / "data", np.zeros((4, 3), np.float32), table))
    found = read_choices(file, data, ["b_system"])
    assert (found.lost, [side.tolist() for side in found.systems]) == (2, [["X", "Y"], ["Y", "Z"]])
    assert [found.files[row][-5:] for row in found.a] == ["x.wav", "y.wav"] and len(found.files) == 3
    # Columns of the file follow the pairs that are left, not its first lines.
    assert {name: list(column) for name, column in found.clusters.items()} == {"b_system": ["s", "t"]}


def test_choices_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no column 'ratr'.*Did you mean 'rater'"):
        read_choices(write_pairs(tmp_path, [("x", "y", "a")], rater="p"), clusters=["ratr"])
    with pytest.raises(UsageError, match=r"'first' must be a, b or tie"):
        read_choices(write_pairs(tmp_path, [("x", "y", "first")]))
    with pytest.raises(UsageError, match=r"every song with itself"):
        read_choices(write_pairs(tmp_path, [("x", "x", "a")]))
    with pytest.raises(UsageError, match=r"holds no pairs"):
        read_choices(write_pairs(tmp_path, []))


def drawn(picker, judge, rows, size):
    """The mean over all draws, and over all orders of songs that the picker scores the same."""
    found = []
    for part in itertools.combinations(rows, size):
        best = max(picker[row] for row in part)
        found.append(np.mean([judge[row] for row in part if picker[row] == best]))
    return np.mean(found)


@pytest.mark.parametrize("tied", [False, True])
def test_best_of_n_is_the_mean_over_all_draws(tied):
    rng = np.random.default_rng(0)
    picker, judge = rng.standard_normal((2, 9))
    if tied:
        picker = np.round(picker)
    curve = {row["n"]: row for row in best_of(picker, judge)}
    assert set(curve) == {1, 2, 4, 8}
    for size, row in curve.items():
        value = drawn(picker, judge, range(9), size)
        assert row["judge"][0] == pytest.approx(value, abs=1e-6)
        assert row["gain"][0] == pytest.approx(value - judge.mean(), abs=1e-6)
        assert row["oracle"] == pytest.approx(drawn(judge, judge, range(9), size))


def test_songs_compete_within_their_pool():
    rng = np.random.default_rng(0)
    genre = np.repeat(["loud", "quiet", "rare"], [8, 5, 2])
    # The picker loves one genre and ranks at random within: taken together it would seem to buy what it does not.
    picker = np.where(genre == "loud", 10.0, 0.0) + rng.standard_normal(15)
    judge = np.where(genre == "loud", 6.0, 2.0) + rng.standard_normal(15)
    rows = [np.flatnonzero(genre == name) for name in ("loud", "quiet", "rare")]
    curve = {row["n"]: row for row in best_of(picker, judge, pools=genre)}
    for size, able in ((1, 3), (2, 3), (4, 2), (8, 1)):
        values = [drawn(picker, judge, part, size) for part in rows[:able]]
        single = np.mean([judge[part].mean() for part in rows[:able]])
        assert curve[size]["pools"] == able
        assert curve[size]["judge"][0] == pytest.approx(np.mean(values), abs=1e-6)
        assert curve[size]["gain"][0] == pytest.approx(np.mean(values) - single, abs=1e-6)
    assert best_of(picker, judge)[1]["gain"][0] > curve[2]["gain"][0] + 0.5


@pytest.mark.parametrize("tied", [False, True])
def test_the_jackknife_is_that_of_leaving_out_each_in_turn(tied):
    from scipy import stats

    rng = np.random.default_rng(3)
    picker, judge = rng.standard_normal((2, 12))
    if tied:
        picker = np.round(picker)
    groups = np.arange(12)
    for size in (1, 2, 4):
        rows = {
            name: best_of(picker, judge, groups=which, sizes=[size])[0]
            for name, which in (("song", None), ("group", groups))
        }
        left = np.array([drawn(picker, judge, [row for row in range(12) if row != out], size) for out in range(12)])
        parts = (left - left.mean()) ** 2 * 11 / 12
        freedom = min(11, max(1, 3 * parts.sum() ** 2 / (parts @ parts) - 1))
        half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum())
        for row in rows.values():
            assert row["judge"][2] - row["judge"][0] == pytest.approx(half, rel=1e-4)
    assert best_of(picker, judge, sizes=[1])[0]["gain"] == [0.0, 0.0, 0.0]
    whole = best_of(picker, judge, sizes=[12])[0]
    assert whole["judge"][1:] == [None, None]


def test_best_of_n_has_intervals_that_hold_the_truth():
    # Picker and judge are normal with correlation 0.5; 1.0294 is the mean of the maximum of four.
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        picker, judge = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 40).T
        _, low, high = best_of(picker, judge, sizes=[4])[0]["judge"]
        inside += low <= 0.5 * 1.0294 <= high
    assert 0.92 <= inside / 300 <= 0.985


def test_songs_of_one_group_are_one_witness():
    rng = np.random.default_rng(0)
    artist = np.repeat(np.arange(12), 10)
    picker = rng.standard_normal(120)
    judge = 2 * rng.standard_normal(12)[artist] + 0.1 * rng.standard_normal(120)
    alone, grouped = (best_of(picker, judge, groups=which, sizes=[1])[0]["judge"] for which in (None, artist))
    assert grouped[0] == alone[0] and grouped[2] - grouped[1] > 2 * (alone[2] - alone[1])


def test_the_frechet_distance_is_that_of_two_gaussians():
    rng = np.random.default_rng(0)
    for n, m, d in ((60, 50, 8), (6, 9, 12)):
        a, b = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)), rng.standard_normal((m, d)) + 1
        gap, first, second = a.mean(axis=0) - b.mean(axis=0), np.cov(a.T), np.cov(b.T)
        # The trace of the product's root, by the eigenvalues of the product itself.
        cross = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
        want = gap @ gap + np.trace(first + second) - 2 * cross
        assert frechet(a, b) == pytest.approx(want, rel=1e-5)
    assert frechet(b, b + 2) == pytest.approx(4 * 12)


def test_the_extrapolated_distance_is_nearer_the_truth():
    rng = np.random.default_rng(0)
    width = 12
    reference = rng.standard_normal((3000, width))
    plain, endless = [], []
    for _ in range(20):
        x = rng.standard_normal((4 * width, width)) * 1.3
        plain.append(frechet(x, reference))
        endless.append(frechet_infinity(x, reference))
    # Covariances 1.69 and 1 times the identity: (1.3 - 1)² a dimension.
    truth = 0.09 * width
    assert np.mean(plain) - truth > 0.5 and abs(np.mean(endless) - truth) < 0.25


def test_set_figures_know_near_from_far_and_say_what_they_cannot():
    rng = np.random.default_rng(0)
    reference, near = rng.standard_normal((200, 12)), rng.standard_normal((60, 12))
    first, second = set_figures(near, reference), set_figures(near + 2, reference)
    assert first["frechet"][2] < second["frechet"][1] and first["frechet_infinity"][0] < first["frechet"][0]
    assert first["warnings"] == [] and first["dimensions"] == 12
    unit = near / np.linalg.norm(near, axis=1, keepdims=True)
    assert first["vendi"][0] == pytest.approx(selection.vendi(unit), abs=1e-6)
    assert first["mean_distance"][0] == pytest.approx(selection.mean_distance(unit), abs=1e-6)
    scaled = (near - reference.mean(axis=0)) / reference.std(axis=0)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    assert first["vendi_standardised"][0] == pytest.approx(selection.vendi(scaled), abs=1e-6)
    assert first["mean_distance_standardised"][0] == pytest.approx(selection.mean_distance(scaled), abs=1e-6)
    few = set_figures(near[:20], reference)
    assert "20 songs for 12 dimensions" in few["warnings"][0] and "--components 6" in few["warnings"][0]
    fewer = set_figures(near[:20], reference, components=6)
    assert fewer["warnings"] == [] and fewer["dimensions"] == 6 and fewer["frechet"][0] < few["frechet"][0]
    assert all(np.isfinite(set_figures(near[:2], reference)[name][0]) for name in ("frechet", "vendi"))
    with pytest.raises(UsageError, match=r"--components 13 must be 1 to 12"):
        set_figures(near, reference, components=13)
    with pytest.raises(UsageError, match=r"two songs or more"):
        set_figures(near[:1])


def test_a_set_without_a_reference_is_not_measured_by_itself():
    rng = np.random.default_rng(0)
    alike = np.ones(8) + 0.01 * rng.standard_normal((30, 8))
    mixed = rng.standard_normal((30, 8))
    # Standardised by itself any set would look as varied as any other.
    assert set_figures(alike)["vendi"][2] < 1.1 < 5 < set_figures(mixed)["vendi"][1]
    assert set_figures(alike)["mean_distance"][2] < 0.01 < 0.8 < set_figures(mixed)["mean_distance"][1]
    twice = set_figures(np.repeat(mixed[:2], 10, axis=0))
    assert twice["vendi"][0] <= 2.0 + 1e-6


def test_set_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    shift, own = np.array([0.8, 0.0, 0.0, 0.0]), np.array([1.2, 0.8, 1.0, 1.0])
    reference = rng.standard_normal((4000, 4))
    many = rng.standard_normal((100_000, 4)) * own + shift
    mean = (many / np.linalg.norm(many, axis=1, keepdims=True)).mean(axis=0)
    truth = {"mean_distance": 1 - float(mean @ mean), "frechet_infinity": frechet(many, reference)}
    inside = dict.fromkeys(truth, 0)
    for number in range(150):
        found = set_figures(rng.standard_normal((40, 4)) * own + shift, reference, seed=number)
        for name, value in truth.items():
            inside[name] += found[name][1] <= value <= found[name][2]
    assert all(0.9 <= count / 150 <= 0.99 for count in inside.values()), inside


def test_the_verb(tmp_path, write_audio, write_data):
    files = [write_audio(tmp_path / "songs" / "ab"[n % 2] / f"{n}.wav", seconds=1.0, seed=n) for n in range(4)]
    rows = [(files[0], files[1], "a"), (files[2], files[3], "b"), (files[0], files[3], "tie")]
    pairs = write_pairs(tmp_path, [(str(a), str(b), winner) for a, b, winner in rows], prompt=["p", "q", "p"])
    table = pd.DataFrame({"path": map(str, files), "system": ["s", "t", "s", "t"], "genre": ["g", "h", "g", "h"]})
    data = write_data(tmp_path / "data", np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32), table)
    found = invoke("evaluate", "--pairs", pairs, "--data", data, "--scorer", "acoustic")
    assert (found["pairs"], found["ties"], found["songs"], found["clusters"]) == (3, 1, 4, {"prompt": 2})
    assert found["systems"]["s"]["win_rate"][0] == pytest.approx(0.5)
    both = ["--scorer", "acoustic", "--judge", "acoustic"]
    whole = invoke("evaluate", "--audio", tmp_path / "songs", *both)
    assert [row["n"] for row in whole["curve"]] == [1, 2, 4]
    assert whole["curve"][2]["judge"][0] == pytest.approx(whole["curve"][2]["oracle"], abs=1e-6)
    parts = invoke("evaluate", "--audio", tmp_path / "songs", *both, "--within", "folder")
    by_genre = invoke("evaluate", "--data", data, *both)
    assert by_genre["within"] == "genre" and parts["curve"] == by_genre["curve"] and len(parts["curve"]) == 2
    assert invoke("evaluate", "--data", data, "--reference", data, "--components", "1")["frechet"][0] == 0
    text = run("evaluate", "--pairs", pairs, "--data", data, "--scorer", "acoustic")
    assert "2 values of prompt" in text and "1 ties of people" in text
    assert "Beware: 4 songs for 3 dimensions" in run("evaluate", "--data", data, "--reference", data)
    with pytest.raises(UsageError, match=r"has folders, not columns"):
        run("evaluate", "--audio", tmp_path / "songs", *both, "--within", "genre")
    with pytest.raises(UsageError, match=r"--group and --within are for"):
        run("evaluate", "--data", data, "--within", "genre")

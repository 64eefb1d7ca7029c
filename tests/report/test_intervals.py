"""Intervals against scipy, published examples and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from optimizer.report import intervals


def draws(*sizes, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(3 + 0.3 * index, 0.5, size) for index, size in enumerate(sizes)]


def test_mean_is_students_t():
    (values,) = draws(12)
    found = intervals.mean(values)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high, found.n) == pytest.approx((values.mean(), low, high, 12))


def test_one_song_has_a_mean_and_no_interval():
    found = intervals.mean([4.0])
    assert (found.value, found.low, found.high, found.known) == (4.0, None, None, False)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (3, 7), (20, 20), (50, 200)])
def test_share_is_wilsons(hits, n):
    found = intervals.share(hits, n)
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_difference_of_shares_is_newcombes_published_example():
    found = intervals.share_difference(56, 70, 48, 80)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_difference_in_one_stratum_is_welchs():
    first, second = draws(9, 15)
    found = intervals.difference({"g": first}, {"g": second})
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))
    assert (found.n_first, found.n_second) == (9, 15)


def test_difference_stays_within_strata():
    # Between the genres lie 5 points, within each 0.5: only the latter may show.
    low, high = [1.0, 1.1, 0.9, 1.0], [6.0, 6.1, 5.9, 6.0]
    raised = [value + 0.5 for value in low], [value + 0.5 for value in high]
    found = intervals.difference({"a": raised[0], "b": raised[1][:2]}, {"a": low[:2], "b": high})
    assert found.interval.value == pytest.approx(0.5, abs=0.06)
    assert found.strata == ("a", "b")


def test_difference_leaves_out_what_cannot_be_compared():
    assert intervals.difference({"a": [1.0, 2.0]}, {"b": [1.0, 2.0]}) is None
    assert intervals.difference({"a": [1.0]}, {"a": [1.0, 2.0]}) is None


def test_best_difference_compares_at_one_budget():
    # Ten times as many chances at the same distribution must not look like a gain.
    rng = np.random.default_rng(3)
    found = intervals.best_difference(rng.normal(3, 0.5, 2000), rng.normal(3, 0.5, 200))
    assert found.low < 0 < found.high
    assert found.value == pytest.approx(0, abs=0.2)
    assert intervals.best_difference([1.0] * 9, [1.0] * 50) is None


def test_variance_share_is_a_one_way_anova():
    groups = [group + index for index, group in enumerate(draws(10, 10, 10))]
    values, labels = np.concatenate(groups), ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    found = intervals.variance_share(values, labels, [""] * 30)
    f, p = stats.f_oneway(*groups)
    assert found.p == pytest.approx(p)
    assert found.eta == pytest.approx(2 * f / (2 * f + 27))
    assert found.omega.value == pytest.approx(2 * (f - 1) / (2 * (f - 1) + 30))
    for end, tail in ((found.omega.low, 0.975), (found.omega.high, 0.025)):
        centrality = 30 * end / (1 - end)
        assert stats.ncf.cdf(f, 2, 27, centrality) == pytest.approx(tail, abs=1e-3)


def test_variance_share_does_not_credit_a_factor_with_its_genre():
    rng = np.random.default_rng(0)
    genres = ["a"] * 200 + ["b"] * 200
    levels = rng.choice(["x", "y"], 400, p=[0.5, 0.5]).tolist()
    levels = [
        level if genre == "a" else "z" if level == "x" else "y" for level, genre in zip(levels, genres, strict=True)
    ]
    values = rng.normal(0, 0.3, 400) + np.array([0.0] * 200 + [5.0] * 200)
    assert intervals.variance_share(values, levels, genres).omega.value < 0.03
    assert intervals.variance_share(values, levels, [""] * 400).omega.value > 0.3


def test_variance_share_needs_songs_to_spare():
    assert intervals.variance_share([1.0, 2.0], ["a", "b"], ["", ""]) is None
    assert intervals.variance_share([1.0, 2.0, 3.0], ["a", "a", "a"], [""] * 3) is None


def test_slope_is_least_squares():
    rng = np.random.default_rng(5)
    x = rng.uniform(6, 8, 40)
    y = 0.4 * x + rng.normal(0, 0.3, 40)
    expected = stats.linregress(x, y)
    found = intervals.slope(x, y, ["g"] * 40)
    half = stats.t.ppf(0.975, 38) * expected.stderr
    assert (found.value, found.low) == pytest.approx((expected.slope, expected.slope - half))
    assert intervals.slope([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], ["g"] * 5) is None


def test_superiority_is_mann_whitneys_u():
    first, second = draws(30, 40)
    u = stats.mannwhitneyu(first, second).statistic
    found = intervals.superiority(first, second)
    assert found.value == pytest.approx(u / 1200)
    assert found.low < found.value < found.high
    assert intervals.superiority([1.0, 1.0], [1.0]).value == 0.5


def test_take_spread_pools_within_recipes():
    found = intervals.take_spread([1.0, 3.0, 5.0, 5.0, 9.0], ["a", "a", "b", "b", "c"])
    assert (found.value, found.n) == (pytest.approx(1.0), 2)
    assert found.low < 1 < found.high
    assert intervals.take_spread([1.0, 2.0], ["a", "b"]) is None

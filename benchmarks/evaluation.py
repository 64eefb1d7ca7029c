"""Coverage of intervals that `optimize evaluate` and a card print, on made data whose truth is known; 0.95 is wanted.

OMP_NUM_THREADS=1 python benchmarks/evaluation.py pairs|best-of|sets|groups|folds [--rounds 400]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import integrate, stats

from optimizer.training.agreement import share_interval
from optimizer.training.data import Data
from optimizer.training.evaluate import best_of
from optimizer.training.folds import folds_by
from optimizer.training.head import fit_ridge
from optimizer.training.metrics import bootstrap, spearman
from optimizer.training.outcome import judge
from optimizer.training.sets import set_figures
from optimizer.training.split import grouped_split

Tally = dict[str, list[tuple[bool, float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WORLDS)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    WORLDS[options.what](np.random.default_rng(options.seed), options.rounds)


def pairs(rng: np.random.Generator, rounds: int) -> None:
    """A scorer hears worth with noise, people choose by worth; the truth is its accuracy on songs without end."""
    designs = (
        ("20 songs, each once", 20, "once", 0, 0),
        ("200 songs, each once", 200, "once", 0, 0),
        ("10 songs, all 45 pairs", 10, "all", 0, 0),
        ("20 songs, all 190 pairs", 20, "all", 0, 0),
        ("40 songs, all 780 pairs", 40, "all", 0, 0),
        ("60 songs, 200 pairs", 60, "random", 200, 0),
        ("60 songs, 800 pairs", 60, "random", 800, 0),
        ("100 songs, 300 pairs, 10 songs in half of them", 100, "hub", 300, 0),
        ("100 songs, 400 pairs, 8 raters, some contrary", 100, "random", 400, 8),
        ("400 songs, 800 pairs, 20 raters, some contrary", 400, "random", 800, 20),
    )
    truths = {rated: _accuracy(rng, rated) for rated in (False, True)}
    for name, songs, design, count, raters in designs:
        tally: Tally = {"ours": [], "pairs drawn as if independent": []}
        for _ in range(rounds):
            right, left, other, rater = _choices(rng, songs, design, count, raters)
            truth = truths[raters > 0]
            found = share_interval(right, left, other, [rater] if raters else [])
            tally["ours"].append((found.low <= truth <= found.high, found.high - found.low, found.value - truth))
            drawn = right[rng.integers(0, len(right), (200, len(right)))].mean(axis=1)
            low, high = np.quantile(drawn, [0.025, 0.975])
            tally["pairs drawn as if independent"].append((low <= truth <= high, high - low, right.mean() - truth))
        _show(name, tally)


def _choices(
    rng: np.random.Generator, songs: int, design: str, count: int, raters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    worth = rng.standard_normal(songs)
    score = worth + rng.standard_normal(songs)
    if design == "once":
        order = rng.permutation(songs)
        left, right = order[: songs // 2], order[songs // 2 : 2 * (songs // 2)]
    elif design == "all":
        left, right = np.triu_indices(songs, 1)
    else:
        left = rng.integers(0, songs // 10 if design == "hub" else songs, count)
        right = rng.integers(0, songs, count)
    left, right = left[left != right], right[left != right]
    rater = rng.integers(0, max(raters, 1), len(left))
    contrary = rng.random(max(raters, 1)) < (0.3 if raters else 0.0)
    pull = 2 * (worth[left] - worth[right]) * np.where(contrary, -0.5, 1.0)[rater]
    won = rng.random(len(left)) < 1 / (1 + np.exp(-pull))
    return ((score[left] > score[right]) == won).astype(float), left, right, rater


def _accuracy(rng: np.random.Generator, rated: bool) -> float:
    found = [_choices(rng, 2000, "random", 4000, 400 if rated else 0)[0].mean() for _ in range(300)]
    return float(np.mean(found))


def curve(rng: np.random.Generator, rounds: int) -> None:
    """Picker and judge are normal with correlation 0.5: the best of N is worth half the mean of N normals' maximum."""
    for songs in (20, 64, 128, 400):
        tally: Tally = {}
        for _ in range(rounds):
            picker, judge = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], songs).T
            for row in best_of(picker, judge):
                if row["judge"][1] is not None:
                    value, low, high = row["judge"]
                    truth = 0.5 * _maximum(row["n"])
                    cell = tally.setdefault(f"best of {row['n']}", [])
                    cell.append((low <= truth <= high, high - low, value - truth))
        _show(f"{songs} songs", tally)


@cache
def _maximum(n: int) -> float:
    def density(z: float) -> float:
        return float(z * n * stats.norm.pdf(z) * stats.norm.cdf(z) ** (n - 1))

    return float(integrate.quad(density, -9, 9)[0])


def sets(rng: np.random.Generator, rounds: int) -> None:
    """Gaussian songs whose variances fall off as in an encoder's embedding; the reference is given as it is.

    For `vendi` the truth is its mean over sets of that size, for the distances that of the distributions.
    """
    for width, sizes in ((8, (12, 24, 100)), (32, (24, 50, 100, 400))):
        scale = np.sqrt((1.0 + np.arange(width)) ** -1.2)
        shift = 0.5 * scale * np.where(np.arange(width) % 3 == 0, 1.0, 0.0)
        own = scale * np.where(np.arange(width) % 2, 1.2, 0.8)
        reference = rng.standard_normal((4000, width)) * scale + 0.3
        mean, covariance = reference.mean(axis=0), np.cov(reference.T)
        root = np.sqrt(np.linalg.eigvalsh(own[:, None] * covariance * own[None, :]).clip(0)).sum()
        gap = shift + 0.3 - mean
        distance = float(gap @ gap + (own**2).sum() + np.trace(covariance) - 2 * root)

        def draw(n: int, own: np.ndarray = own, shift: np.ndarray = shift) -> np.ndarray:
            return rng.standard_normal((n, len(own))) * own + shift + 0.3

        for size in sizes:
            found = [set_figures(draw(size), reference, seed=number) for number in range(rounds)]
            truths = {name: float(np.mean([one[name][0] for one in found])) for name in ("vendi", "frechet")}
            many = draw(200_000)
            average = (many / np.linalg.norm(many, axis=1, keepdims=True)).mean(axis=0)
            truths["mean_distance"] = 1 - float(average @ average)
            truths["frechet_infinity"] = distance
            tally: Tally = {}
            for name, truth in truths.items():
                title = {
                    "vendi": "vendi of so many",
                    "frechet": f"frechet of so many, off by {truths['frechet'] - distance:+.3f}",
                }
                cell = tally.setdefault(f"{title.get(name, name)} (truth {truth:.3f})", [])
                cell += [(one[name][1] <= truth <= one[name][2], one[name][2] - one[name][1], one[name][0] - truth)
                         for one in found]  # fmt: skip
            _show(f"{size} songs, {width} dimensions", tally)


def groups(rng: np.random.Generator, rounds: int) -> None:
    """Truth and prediction share a song's effect and have each an artist's: a card's Spearman over new artists."""

    def draw(artists: int, songs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        artist = np.repeat(np.arange(artists), songs)
        heard, noise = rng.standard_normal(len(artist)), rng.standard_normal((2, len(artist)))
        fame, voice = rng.standard_normal((2, artists))
        return heard + 0.5 * voice[artist] + 0.7 * noise[0], heard + fame[artist] + 0.7 * noise[1], artist

    truth = spearman(*draw(20_000, 5)[:2])
    for artists, songs in ((2, 20), (3, 20), (5, 20), (8, 20), (12, 10), (30, 6), (100, 5)):
        tally: Tally = {"Spearman": []}
        for number in range(rounds):
            prediction, label, artist = draw(artists, songs)

            def rank(
                rows: np.ndarray, prediction: np.ndarray = prediction, label: np.ndarray = label
            ) -> dict[str, float]:
                return {"rank": spearman(prediction[rows], label[rows])}

            found = bootstrap(rank, artist, seed=number)["rank"]
            tally["Spearman"].append((found.low <= truth <= found.high, found.high - found.low, found.value - truth))
        _show(f"{artists} groups of {songs} songs", tally)


def folds(rng: np.random.Generator, rounds: int) -> None:
    """A ridge on songs of a few artists, judged by one part or five; the truth is what its models do on new artists."""
    width, direction = 24, rng.standard_normal(24) / 24**0.5

    def draw(artists: int, songs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        artist = np.repeat(np.arange(artists), songs)
        x = 0.7 * rng.standard_normal((artists, width))[artist] + 0.7 * rng.standard_normal((len(artist), width))
        return x, x @ direction + rng.standard_normal(artists)[artist] + 0.5 * rng.standard_normal(len(artist)), artist

    new = draw(4000, 2)
    for artists, songs in ((40, 5), (80, 5), (200, 5)):
        tally: Tally = {"one part": [], "five parts": []}
        for number in range(rounds):
            x, y, artist = draw(artists, songs)
            data = Data(x, pd.DataFrame({"id": rng.permutation(len(y))}), {}, Path())
            for name, splits in (
                ("one part", [grouped_split(artist, number)]),
                ("five parts", folds_by(artist, 5, number)),
            ):
                models = [
                    fit_ridge(x[part.train], y[part.train], x[part.validation], y[part.validation]) for part in splits
                ]
                pairs = [(model, model) for model in models]
                found = judge(data, y, splits, pairs, artist, None, number, 200).figures["model"]["spearman"]
                truth = float(np.mean([spearman(model.predict(new[0]), new[1]) for model in models]))
                tally[name].append((found.low <= truth <= found.high, found.high - found.low, found.value - truth))
        _show(f"{artists} artists of {songs} songs", tally)


def _show(name: str, tally: Tally) -> None:
    print(name)
    for title, rows in tally.items():
        inside, widths, errors = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        print(
            f"  {title:58s} covers {inside.mean():.3f} ± {1.96 * np.sqrt(0.05 * 0.95 / len(rows)):.3f}, "
            f"mean width {widths.mean():.3f}, bias {errors.mean():+.4f}",
            flush=True,
        )


WORLDS: dict[str, Callable[[np.random.Generator, int], None]] = {
    "pairs": pairs,
    "best-of": curve,
    "sets": sets,
    "groups": groups,
    "folds": folds,
}

if __name__ == "__main__":
    main()

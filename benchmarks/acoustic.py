"""Does the embedded scorer hear the embedded engine as the published songs were heard?

    OMP_NUM_THREADS=1 python benchmarks/acoustic.py             # ten recipes in each of ten genres, some 3 minutes
    OMP_NUM_THREADS=1 python benchmarks/acoustic.py --shares    # and what style, BPM, key and seed do, some 10 more

Prints genre means beside the published ones with Spearman's rank correlation, the CPU time of a judgement, and (with
``--shares``) how the variance within a genre divides. The recipes are drawn with ``--seed``; the formula's constants
were set on the recipes of seed 0, so measure with any other.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.recipe import Recipe
from optimizer.scoring.acoustic import AcousticScorer
from optimizer.search_space import Genre, load_genre

PUBLISHED = {
    "bhangra": 3.77,
    "edm": 3.71,
    "bollywood": 3.53,
    "cpop": 3.20,
    "latin": 3.19,
    "pop": 3.05,
    "rock": 3.03,
    "hip-hop": 2.92,
    "acoustic": 2.63,
    "rnb": 2.62,
}
"""Mean scores of the learned scorer in a random sweep of 200 songs by ACE-Step, 16 to 20 songs a genre."""

LEVELS = ("style", "bpm", "key")


def recipe(genre: Genre, style: int, bpm: int, key: int, language: int, seed: int, duration: float) -> Recipe:
    """One song of a genre, its parts chosen by their place in the grid."""
    chosen, sung = genre.styles[style], genre.languages[language % len(genre.languages)]
    return Recipe(
        genre=genre.id,
        style=chosen.id,
        caption=chosen.caption,
        bpm=list(genre.bpm)[bpm],
        key=genre.keys[key],
        language=sung.code,
        lyrics=sung.lyrics,
        seed=seed,
        duration=duration,
        time_signature=genre.time_signature,
    )


def sample(genre: Genre, count: int, random_: random.Random, duration: float) -> list[Recipe]:
    """Draw recipes at random, as a sweep does."""
    sizes = (len(genre.styles), len(genre.bpm), len(genre.keys), len(genre.languages))
    return [
        recipe(genre, *(random_.randrange(size) for size in sizes), random_.randrange(2**31), duration)
        for _ in range(count)
    ]


def design(genre: Genre, random_: random.Random, duration: float) -> list[Recipe]:
    """Twenty points of a Latin square in two takes each: style, BPM and key occur equally often with one another."""
    points = [(style, bpm, (2 * bpm + style) % 5, style + bpm) for style in range(4) for bpm in range(5)]
    return [recipe(genre, *point, random_.randrange(2**31), duration) for point in points for _ in range(2)]


class _Judge:
    """An engine and the scorer in one process."""

    def __init__(self) -> None:
        from optimizer.rendering.synth.engine import SynthEngine

        self.engine, self.scorer = SynthEngine(), AcousticScorer()
        self.engine.load({})
        self.scorer.load({})

    def __call__(self, wanted: Recipe) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "song.wav"
            started = time.process_time()
            self.engine.render(wanted.to_dict(), path)
            rendered = time.process_time()
            (result,) = self.scorer.score([path])
            return {
                **result,
                "recipe": wanted.to_dict(),
                "render": rendered - started,
                "score": time.process_time() - rendered,
            }


_judge: _Judge | None = None


def judge(wanted: Recipe) -> dict[str, Any]:
    """Render and score one song; the engine stays loaded in its process."""
    global _judge
    _judge = _judge or _Judge()
    return _judge(wanted)


def ranks(values: Sequence[float]) -> np.ndarray:
    """Ranks from 0; no two means are ever equal."""
    return np.argsort(np.argsort(values))


def shares(results: list[dict[str, Any]]) -> dict[str, float]:
    """Split a genre's variance between style, BPM, key, seed and what the sum of the first three cannot explain.

    Components of variance from `design`: twice the mean square of the two takes' difference is the seed's; each
    factor's is its mean square less that of the rest, over the number of songs a level.
    """
    values = np.array([r["value"] for r in results])
    pairs = values.reshape(-1, 2)
    means = pairs.mean(axis=1)
    seed = float(np.square(pairs[:, 0] - pairs[:, 1]).mean() / 2.0)
    points = [r["recipe"] for r in results[::2]]
    rest = float(np.square(means - means.mean()).sum())
    freedom = len(means) - 1
    squares: dict[str, tuple[float, int, float]] = {}
    for name in LEVELS:
        labels = np.array([point[name] for point in points])
        groups = [means[labels == label] for label in dict.fromkeys(labels)]
        between = float(sum(len(group) * (group.mean() - means.mean()) ** 2 for group in groups))
        squares[name] = (between, len(groups) - 1, len(means) / len(groups))
        rest -= between
        freedom -= len(groups) - 1
    residual = rest / freedom
    components = {
        name: max(0.0, (between / count - residual) / size) for name, (between, count, size) in squares.items()
    }
    components["interaction"] = max(0.0, residual - seed / 2.0)
    components["seed"] = seed
    return components


def main() -> int:
    """Print the tables; exit 1 if the ranks agree by less than 0.7."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=10, help="songs in each genre")
    parser.add_argument("--seed", type=int, default=1, help="draws the recipes")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds a song")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--shares", action="store_true", help="40 more songs a genre: variance by style, BPM, key, seed"
    )
    options = parser.parse_args()
    random_ = random.Random(options.seed)
    genres = {name: load_genre(name).genres[0] for name in PUBLISHED}
    with ProcessPoolExecutor(options.workers) as pool:
        songs = [s for genre in genres.values() for s in sample(genre, options.recipes, random_, options.duration)]
        results = list(pool.map(judge, songs))
        code = report(results)
        if options.shares:
            for name, genre in genres.items():
                report_shares(name, list(pool.map(judge, design(genre, random_, options.duration))))
    return code


def report(results: list[dict[str, Any]]) -> int:
    """Print genre means, their rank correlation with the published ones, and speeds."""
    failed = [result["error"] for result in results if "error" in result]
    if failed:
        print(f"{len(failed)} songs could not be judged, the first: {failed[0]}", file=sys.stderr)
        return 1
    print(f"{'genre':<11}{'published':>10}{'mean':>7}{'sd':>6}{'min':>6}{'max':>6}   parts")
    means = []
    for name, published in PUBLISHED.items():
        own = [result for result in results if result["recipe"]["genre"] == name]
        values = np.array([result["value"] for result in own])
        means.append(float(values.mean()))
        parts = "  ".join(f"{part} {np.mean([r['parts'][part] for r in own]):.1f}" for part in own[0]["parts"])
        spread = f"{values.mean():7.2f}{values.std():6.2f}{values.min():6.2f}{values.max():6.2f}"
        print(f"{name:<11}{published:10.2f}{spread}   {parts}")
    values = np.array([result["value"] for result in results])
    rho = float(np.corrcoef(ranks(means), ranks(list(PUBLISHED.values())))[0, 1])
    print(f"all: mean {values.mean():.2f}, sd {values.std():.2f}, {values.min():.2f} to {values.max():.2f}")
    print(f"songs at 5 or more: {np.mean(values >= 5.0):.1%}")
    print(f"Spearman of the genre means with the published ones: {rho:.2f} (at least 0.7 wanted)")
    for stage in ("render", "score"):
        times = np.array([result[stage] for result in results])
        print(f"{stage}: CPU {np.median(times):.3f} s median, {times.max():.3f} s worst")
    return 0 if rho >= 0.7 else 1


def report_shares(name: str, results: list[dict[str, Any]]) -> None:
    """Print how one genre's variance divides."""
    components = shares(results)
    total = sum(components.values())
    divided = "  ".join(f"{factor} {value / total:4.0%}" for factor, value in components.items())
    deviations = "  ".join(f"{factor} {value**0.5:.2f}" for factor, value in components.items())
    print(f"{name:<11} share: {divided}   sd: {deviations}")


if __name__ == "__main__":
    sys.exit(main())

"""How close do two songs sound to the scorer when they are one song, two takes, two tempi, two recipes?

    OMP_NUM_THREADS=1 python benchmarks/duplicates.py             # embedded engine and scorer, some 4 minutes
    OMP_NUM_THREADS=1 python benchmarks/duplicates.py --scorer banger --encoder DIR

Renders recipes of every genre, each once more with another seed, a neighbouring tempo and a neighbouring key, and
encodes it again as MP3, at another level and with a cut start. Prints quantiles of the cosine distance of each kind of
pair as a share of the usual distance between two recipes. `optimizer.selection.DUPLICATE_RATIO` is read off the second
table: above every encoding of one song, below nearly all pairs that are two songs.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optimizer import audio
from optimizer.recipe import SEED_RANGE, Recipe
from optimizer.scoring import open_scorer, prepare
from optimizer.search_space import Genre, load_genre
from optimizer.selection import DUPLICATE_RATIO, standardise

QUANTILES = (0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)

ENCODINGS = ("mp3", "-6 dB", "mp3 -14 LUFS", "cut 50 ms")
"""Ways to make a file that is the same song."""

CHANGES = ("seed", "bpm", "key")
"""What a twin of a recipe differs in."""


def recipe_of(genre: Genre, generator: random.Random, duration: float) -> Recipe:
    """Draw a recipe of a genre."""
    style, language = generator.choice(genre.styles), generator.choice(genre.languages)
    return Recipe(
        genre=genre.id,
        style=style.id,
        caption=style.caption,
        bpm=generator.choice(list(genre.bpm)),
        key=generator.choice(genre.keys),
        language=language.code,
        lyrics=language.lyrics,
        seed=generator.randint(*SEED_RANGE),
        duration=duration,
        time_signature=genre.time_signature,
    )


def twin(recipe: Recipe, change: str, genre: Genre, generator: random.Random) -> Recipe:
    """Change one thing about a recipe."""
    if change == "seed":
        return replace(recipe, seed=generator.randint(*SEED_RANGE))
    if change == "bpm":
        others = [bpm for bpm in genre.bpm if bpm != recipe.bpm]
        return replace(recipe, bpm=min(others, key=lambda bpm: abs(bpm - recipe.bpm)))
    return replace(recipe, key=generator.choice([key for key in genre.keys if key != recipe.key]))


def render(job: tuple[Recipe, Path]) -> Path:
    """Render one recipe with the embedded engine."""
    from optimizer.rendering.synth.engine import SynthEngine

    recipe, path = job
    engine = SynthEngine()
    engine.load({})
    engine.render(recipe.to_dict(), path)
    return path


def encode(path: Path, how: str) -> Path:
    """Write one song again, as it might come back from elsewhere."""
    sound = audio.read(path)
    out = path.with_name(f"{path.stem} {how}.{'mp3' if how.startswith('mp3') else 'flac'}")
    samples = sound.samples
    if how == "-6 dB":
        samples = samples * np.float32(0.5)
    elif how == "mp3 -14 LUFS":
        samples, _ = audio.normalise_loudness(samples, sound.rate, -14.0)
    elif how == "cut 50 ms":
        samples = samples[sound.rate // 20 :]
    audio.write(out, samples, sound.rate)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorer", default="acoustic")
    parser.add_argument("--encoder", help="folder of the encoder's weights, where the scorer needs one")
    parser.add_argument("--recipes", type=int, default=6, help="per genre")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()

    generator = random.Random(arguments.seed)
    genres = {genre.id: genre for genre in load_genre("all").genres}
    bases = [
        recipe_of(genre, generator, arguments.duration) for genre in genres.values() for _ in range(arguments.recipes)
    ]
    recipes = {"base": bases} | {
        change: [twin(recipe, change, genres[recipe.genre], generator) for recipe in bases] for change in CHANGES
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = {kind: [Path(folder) / f"{kind} {index}.wav" for index in range(len(bases))] for kind in recipes}
        jobs = [job for kind in recipes for job in zip(recipes[kind], paths[kind], strict=True)]
        with ProcessPoolExecutor(arguments.processes) as pool:
            for _ in pool.map(render, jobs):
                pass
        files = paths | {how: [encode(path, how) for path in paths["base"]] for how in ENCODINGS}
        spec = prepare(arguments.scorer, {"encoder": arguments.encoder})
        scorer = open_scorer(spec)
        vectors = {kind: embeddings(scorer, files[kind]) for kind in files}
    report(spec.encoder, bases, vectors)


def embeddings(scorer: Any, paths: list[Path]) -> np.ndarray:
    """Return one row per file, as the encoder gives it."""
    verdicts = [scorer.score([path])[0] for path in paths]
    return np.array([verdict["embedding"] for verdict in verdicts], dtype=np.float64)


def report(encoder: str, bases: list[Recipe], vectors: dict[str, np.ndarray]) -> None:
    """Print the distances of each kind of pair."""
    base = vectors["base"]
    rows, columns = np.triu_indices(len(bases), 1)
    different = np.array(
        [a.combo != b.combo for a, b in zip((bases[i] for i in rows), (bases[j] for j in columns), strict=True)]
    )
    rows, columns = rows[different], columns[different]
    genre, style = np.array([r.genre for r in bases]), np.array([f"{r.genre}/{r.style}" for r in bases])
    kinds = {
        "two recipes": (base[rows], base[columns]),
        "two recipes, one genre": (base[rows[(g := genre[rows] == genre[columns])]], base[columns[g]]),
        "two recipes, one style": (base[rows[(s := style[rows] == style[columns])]], base[columns[s]]),
        **{f"another {change}": (base, vectors[change]) for change in CHANGES},
        **{f"encoded again: {how}": (base, vectors[how]) for how in ENCODINGS},
    }
    print(f"encoder {encoder}, {base.shape[1]} numbers, {len(bases)} recipes")
    for title, scale in (
        ("as the encoder gives them", lambda v: v),
        ("standardised over the songs", standardiser(base)),
    ):
        usual = float(np.median(distances(*(scale(v) for v in kinds["two recipes"]))))
        print(f"\ncosine distances, embeddings {title}; share of the usual distance {usual:.4f} between two recipes")
        print(f"{'pairs':34}{'n':>6}" + "".join(f"{f'q{100 * q:g}':>9}" for q in QUANTILES))
        for kind, (first, second) in kinds.items():
            found = distances(scale(first), scale(second)) / usual
            print(f"{kind:34}{len(found):6}" + "".join(f"{value:9.4f}" for value in np.quantile(found, QUANTILES)))
    print(f"\nDUPLICATE_RATIO is {DUPLICATE_RATIO}, of the usual distance between standardised embeddings")


def standardiser(base: np.ndarray) -> Any:
    """Return a function that standardises over the base songs."""
    deviation = np.where(base.std(axis=0) > 0, base.std(axis=0), 1.0)
    assert np.allclose(standardise(base), (base - base.mean(axis=0)) / deviation)
    return lambda vectors: (vectors - base.mean(axis=0)) / deviation


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine distance of each pair of rows."""
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return 1.0 - (first * second).sum(axis=1) / norms


if __name__ == "__main__":
    main()

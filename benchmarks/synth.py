"""Does the embedded engine keep the tempo and the key it was asked for, and what does a song cost?

    OMP_NUM_THREADS=1 python benchmarks/synth.py                      # 100 recipes, some 6 minutes of CPU
    OMP_NUM_THREADS=1 python benchmarks/synth.py --seed 7 --count 50  # other recipes

Recipes are drawn from the ten shipped genres, the seed of each song included, so every `--seed` gives songs that
nobody tuned the engine on. Tempo and key are measured by librosa and published key profiles, which share no code with
the engine: a tempo counts within 4 %, octaves counted as right; a key counts with its tonic and its mode.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import librosa
import numpy as np
import soundfile

from optimizer.music import TONICS, parse_key, tempo_distance
from optimizer.recipe import Recipe
from optimizer.rendering.synth.engine import SynthEngine
from optimizer.search_space import GENRES, load_genre

# Major and minor weights of the twelve pitch classes above the tonic, from the literature.
PROFILES = {
    # Krumhansl, "Cognitive Foundations of Musical Pitch", 1990.
    "krumhansl": (
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ),
    # Temperley, "Music and Probability", 2007.
    "temperley": (
        [0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400],
        [0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330],
    ),
    # Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding algorithm", 2013.
    "albrecht": (
        [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
        [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
    ),
}


def keys_of(mono: np.ndarray, rate: int) -> dict[str, str]:
    """Estimate the key with each set of profiles."""
    chroma = librosa.feature.chroma_cqt(y=mono, sr=rate).mean(axis=1)
    out = {}
    for name, modes in PROFILES.items():
        scores = {
            f"{TONICS[tonic]} {mode}": np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]
            for mode, profile in zip(("major", "minor"), modes, strict=True)
            for tonic in range(12)
        }
        out[name] = max(scores, key=lambda key: scores[key])
    return out


def tempi_of(mono: np.ndarray, rate: int) -> dict[str, float]:
    """Estimate the tempo with the tempogram's maximum and with the beat tracker."""
    onsets = librosa.onset.onset_strength(y=mono, sr=rate)
    tempo = float(np.atleast_1d(librosa.feature.tempo(onset_envelope=onsets, sr=rate))[0])
    _, beats = librosa.beat.beat_track(onset_envelope=onsets, sr=rate, units="time")
    # The slope of all beats is finer than the tracker's own grid of lags.
    spacing = np.polyfit(np.arange(len(beats)), beats, 1)[0] if len(beats) > 3 else np.inf
    return {"tempogram": tempo, "beats": 60.0 / spacing}


def draw(rng: np.random.Generator, genre: str, duration: float) -> Recipe:
    """Draw one recipe of a genre, its seed included."""
    space = load_genre(genre).genres[0]
    style = space.styles[int(rng.integers(len(space.styles)))]
    language = space.languages[int(rng.integers(len(space.languages)))]
    bpm, keys = list(space.bpm), space.keys
    return Recipe(
        genre=space.id,
        style=style.id,
        caption=style.caption,
        bpm=int(bpm[int(rng.integers(len(bpm)))]),
        key=str(keys[int(rng.integers(len(keys)))]),
        language=language.code,
        lyrics=language.lyrics,
        seed=int(rng.integers(2**31)),
        duration=duration,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="recipes, dealt to the genres in turn")
    parser.add_argument("--seed", type=int, default=20250101, help="draws other recipes")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds of each song")
    parser.add_argument("--genre", choices=[name for name in GENRES if name != "bangers"], help="only this one")
    parser.add_argument("--misses", action="store_true", help="print every song that was heard otherwise")
    options = parser.parse_args()
    genres = [options.genre] if options.genre else [name for name in GENRES if name != "bangers"]
    rng = np.random.default_rng(options.seed)
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count):
            recipe = draw(rng, genres[number % len(genres)], options.duration)
            out = Path(folder) / "song.flac"
            engine = SynthEngine()
            started = time.process_time()
            engine.render(recipe.to_dict(), out)
            costs.append(time.process_time() - started)
            samples, rate = soundfile.read(out, dtype="float32")
            mono = librosa.resample(samples.mean(axis=1), orig_sr=rate, target_sr=22_050, res_type="soxr_hq")
            tempi, keys = tempi_of(mono, 22_050), keys_of(mono, 22_050)
            for name, tempo in tempi.items():
                near = 2.0 ** tempo_distance(tempo, recipe.bpm) - 1.0 <= 0.04
                right[f"tempo {name}"][recipe.genre].append(bool(near))
            for name, key in keys.items():
                right[f"key {name}"][recipe.genre].append(parse_key(key) == parse_key(recipe.key))
            wrong = any(not row[recipe.genre][-1] for row in right.values())
            if options.misses and wrong:
                heard = ", ".join([*(f"{t:.1f}" for t in tempi.values()), *keys.values()])
                print(
                    f"{recipe.genre}/{recipe.style} {recipe.bpm} {recipe.key} seed {recipe.seed}: {heard}", flush=True
                )
    print(f"{'':18s}{'all':>7s}" + "".join(f"{genre:>11s}" for genre in genres))
    for name, row in right.items():
        total = np.mean([hit for hits in row.values() for hit in hits])
        print(f"{name:18s}{total:7.0%}" + "".join(f"{np.mean(row[genre]):11.0%}" for genre in genres))
    quantiles = ", ".join(f"{np.quantile(costs, q):.2f}" for q in (0.5, 0.9, 1.0))
    print(f"CPU seconds per song of {options.duration:g} s, cold cache (median, 90 %, worst): {quantiles}")


if __name__ == "__main__":
    main()

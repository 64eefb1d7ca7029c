"""Songs per minute of the loop against the straightforward way, in one run.

The straightforward way is one song after the other, each rendered and scored in a fresh process. The loop keeps its
workers warm and listens while it renders. Both make the same recipes. Prints both paces, their ratio, and what the
loop spends per trial on everything but rendering and scoring. The two ways alternate, since machines drift.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_SONG = """
import json, sys, tempfile
from pathlib import Path
from optimizer.rendering.synth.engine import SynthEngine
from optimizer.scoring.acoustic import AcousticScorer
recipe = json.loads(sys.argv[1])
engine, scorer = SynthEngine(), AcousticScorer()
engine.load({})
scorer.load({})
with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "song.wav"
    engine.render(recipe, out)
    print(scorer.score([out])[0]["value"])
"""


def straightforward(recipes: list[dict[str, object]]) -> float:
    """Seconds for all songs, a fresh process each."""
    began = time.perf_counter()
    for recipe in recipes:
        subprocess.run([sys.executable, "-c", ONE_SONG, json.dumps(recipe)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def loop(runs: Path, songs: int, workers: int, arguments: argparse.Namespace, explore: int | None = None) -> float:
    """Seconds for a whole `optimize` command, start-up and all."""
    words = [
        *["--genre", arguments.genre, "--trials", songs, "--runs-dir", runs, "--workers", workers],
        *[
            "--renderer",
            "synth",
            "--scorer",
            "acoustic",
            "--duration",
            arguments.duration,
            "--explore",
            songs if explore is None else explore,
        ],
        *["--progress", "none", "--json"],
    ]
    began = time.perf_counter()
    command = [sys.executable, "-m", "optimizer.cli.main", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genre", default="bhangra")
    parser.add_argument("--songs", type=int, default=20)
    parser.add_argument("--duration", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    from optimizer.runs import find_run
    from optimizer.study import read_record

    ratios, overheads = [], []
    for turn in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            ours = loop(runs, arguments.songs, arguments.workers, arguments)
            songs = read_record(find_run(runs, arguments.genre)).songs
        theirs = straightforward([song.recipe.to_dict() for song in songs])
        ratios.append(theirs / ours)
        # With one worker and no sweep each trial waits for the last one's score, so from one end to the next a trial
        # takes its render, its score, and the program's own time.
        with tempfile.TemporaryDirectory() as folder:
            loop(Path(folder), 10, 1, arguments, explore=0)
            alone = read_record(find_run(Path(folder), arguments.genre)).songs
        overheads += [
            song.finished - before.finished - song.timings["render"] - song.timings["score"]
            for before, song in itertools.pairwise(alone)
        ]
        print(
            f"round {turn + 1}: fresh process per song {60 * len(songs) / theirs:.1f} songs/min, "
            f"loop with {arguments.workers} workers {60 * len(songs) / ours:.1f} songs/min, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"ratio (median of {len(ratios)}) {statistics.median(ratios):.2f}")
    print(f"overhead per trial (median of {len(overheads)}) {1000 * statistics.median(overheads):.0f} ms")


if __name__ == "__main__":
    main()

"""Kill a search at random moments and compare its songs with those of a search left alone.

Prints how many recipes are the same, and what the killed run left behind. `--kills 20 --trials 30` is the figure
of the README.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil


def command(runs: Path, arguments: argparse.Namespace) -> list[str]:
    options = {
        "--genre": arguments.genre,
        "--trials": arguments.trials,
        "--runs-dir": runs,
        "--renderer": "synth",
        "--scorer": "acoustic",
        "--duration": arguments.duration,
        "--explore": arguments.explore,
        "--workers": arguments.workers,
        "--progress": "none",
    }
    words = [str(word) for option in options.items() for word in option]
    return [sys.executable, "-m", "optimizer.cli.main", *words, "--json"]


def songs(runs: Path, genre: str) -> dict[int, tuple[str, str, float]]:
    from optimizer.runs import find_run
    from optimizer.study import read_record

    record = read_record(find_run(runs, genre))
    if record.running:
        raise SystemExit(f"{record.running} trials are still RUNNING")
    return {song.number: (song.recipe.digest, song.sha256, song.value) for song in record.songs}


def ours() -> set[int]:
    """Processes of the program, this one left out."""
    lines = {process.pid: " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])}
    return {pid for pid, line in lines.items() if "optimizer" in line and pid != os.getpid()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genre", default="bhangra")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--explore", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--duration", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        alone, killed = Path(folder) / "alone", Path(folder) / "killed"
        before = ours()
        began = time.perf_counter()
        subprocess.run(command(alone, arguments), check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - began
        kills = 0
        while True:
            process = subprocess.Popen(
                command(killed, arguments), stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            if kills < arguments.kills:
                # Somewhere between start-up and the time the rest would take.
                time.sleep(rng.uniform(0.2, 1.2 + 1.5 * whole / arguments.kills))
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    kills += 1
                    process.wait()
                    continue
            output, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"the resumed run ended with {process.returncode}")
            document = json.loads(output)
            break
        expected, found = songs(alone, arguments.genre), songs(killed, arguments.genre)
        time.sleep(0.5)
        left = ours() - before
    same = sum(found.get(number, ("",))[0] == entry[0] for number, entry in expected.items())
    identical = sum(found.get(number) == entry for number, entry in expected.items())
    digests = [entry[0] for entry in found.values()]
    print(f"kills {kills}")
    print(f"songs {len(found)} of {arguments.trials}, failed {document['failed']}")
    print(f"same recipe {same}, same audio and score {identical}")
    print(f"recipes made twice {len(digests) - len(set(digests))}")
    print(f"processes left {len(left)}")


if __name__ == "__main__":
    main()

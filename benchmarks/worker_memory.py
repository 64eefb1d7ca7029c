"""Does a warm worker grow? Forty songs in one process, its resident memory after each.

    OMP_NUM_THREADS=1 python benchmarks/worker_memory.py                    # a tiny pipeline, about a minute
    python benchmarks/worker_memory.py --model DIR_OR_ID --duration 30      # a real one, on whatever device there is

Growth is counted from the second song: the first ones fill caches. Ends with status 1 if it is more than a tenth. The
device's own figure is printed where the device keeps one. What a tiny pipeline on a CPU shows holds for our code and
diffusers' Python; CUDA and Metal have allocators of their own, only `--model` on such a machine tells of those.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tiny import tiny_acestep

from optimizer.recipe import Recipe
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer
from optimizer.search_space import load_genre

LIMIT = 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renderer", default="acestep")
    parser.add_argument("--model")
    parser.add_argument("--acestep-dir")
    parser.add_argument("--duration", type=float, default=2.0)
    parser.add_argument("--songs", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        model = arguments.model
        if model is None and arguments.renderer == "acestep":
            model = str(tiny_acestep(Path(place) / "tiny-acestep-turbo"))
        options = RenderOptions(model=model, duration=arguments.duration, acestep_dir=arguments.acestep_dir)
        # Every song another style, tempo, key, language and seed, as in a search.
        probes = load_genre("bhangra").probe_recipes(arguments.duration)
        (Path(place) / "scratch").mkdir()
        renderer = Renderer(resolve(arguments.renderer, options), Path(place) / "scratch")
        started = time.perf_counter()
        rss, device = [], []
        try:
            renderer.start()
            pid = renderer.pid
            for number in range(arguments.songs):
                recipe: Recipe = replace(probes[number % len(probes)], bpm=60 + number, seed=number)
                memory = renderer.render(recipe, Path(place) / "song.flac").info["memory"]
                rss.append(memory["rss"] / 2**20)
                device.append(memory.get("device", 0) / 2**20)
                if renderer.pid != pid:
                    print(f"the worker was replaced after song {number + 1}; its log tells why")
                    return 1
        finally:
            renderer.close()
    first, last, most = rss[1], rss[-1], max(rss[1:])
    print(f"{arguments.songs} songs of {arguments.duration:g} s in one worker, {time.perf_counter() - started:.0f} s")
    print(f"resident memory  song 1 {rss[0]:.0f}  song 2 {first:.0f}  last {last:.0f}  highest {most:.0f} MiB")
    if any(device):
        print(f"device memory    song 1 {device[0]:.0f}  song 2 {device[1]:.0f}  last {device[-1]:.0f} MiB")
    print(f"growth {100 * (most / first - 1):+.1f} % (limit {100 * (LIMIT - 1):.0f} %)")
    return 0 if most <= LIMIT * first else 1


if __name__ == "__main__":
    sys.exit(main())

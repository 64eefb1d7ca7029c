"""What does keeping the model loaded save? Songs per minute both ways, in one run.

    OMP_NUM_THREADS=1 python benchmarks/worker_reuse.py                     # a tiny pipeline, about a minute
    python benchmarks/worker_reuse.py --model DIR_OR_ID --duration 30       # a real one

Renders the same recipes as ``--keep-loaded`` and as ``--fresh-process`` do and prints both rates and their ratio. With
the tiny pipeline a song takes a fraction of a second, so that the ratio is mostly the price of a start; with a real
model it is what a user gains. The two ways take turns, song by song, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tiny import tiny_acestep

from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer
from optimizer.search_space import load_genre


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renderer", default="acestep")
    parser.add_argument("--model")
    parser.add_argument("--acestep-dir")
    parser.add_argument("--duration", type=float, default=2.0)
    parser.add_argument("--songs", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = arguments.model
        if model is None and arguments.renderer == "acestep":
            model = str(tiny_acestep(folder / "tiny-acestep-turbo"))
        options = RenderOptions(model=model, duration=arguments.duration, acestep_dir=arguments.acestep_dir)
        spec = resolve(arguments.renderer, options)
        probe = load_genre("bhangra").probe_recipes(arguments.duration)[0]
        seconds = {True: 0.0, False: 0.0}
        renderers = {}
        for keep in seconds:
            (folder / str(keep)).mkdir()
            renderers[keep] = Renderer(spec, folder / str(keep), keep_loaded=keep)
        hashes: dict[int, set[str]] = {}
        try:
            for number in range(arguments.songs):
                for keep, renderer in renderers.items():
                    started = time.perf_counter()
                    clip = renderer.render(replace(probe, seed=number), folder / "song.flac")
                    seconds[keep] += time.perf_counter() - started
                    hashes.setdefault(number, set()).add(clip.sha256)
        finally:
            for renderer in renderers.values():
                renderer.close()
    rates = {keep: 60.0 * arguments.songs / spent for keep, spent in seconds.items()}
    same = sum(len(found) == 1 for found in hashes.values())
    print(f"{arguments.songs} songs of {arguments.duration:g} s each way")
    print(f"keep-loaded    {rates[True]:8.1f} songs a minute (the one start of the model is counted)")
    print(f"fresh-process  {rates[False]:8.1f} songs a minute")
    print(f"ratio          {rates[True] / rates[False]:8.2f}")
    print(f"identical      {same} of {arguments.songs} songs")
    return 0


if __name__ == "__main__":
    sys.exit(main())

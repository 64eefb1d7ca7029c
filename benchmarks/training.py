"""Time and memory of the published recipe on 8,000 random embeddings of 1024 numbers: under 60 s and 2 GB wanted.

OMP_NUM_THREADS=2 python benchmarks/training.py [--recipe robust]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from optimizer.training.data import Data
from optimizer.training.regress import train_regression


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="published")
    parser.add_argument("--songs", type=int, default=8000)
    parser.add_argument("--group", action="store_true", help="train under the grouped split too, as a card wants")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((options.songs, 1024)).astype(np.float32)
    label = np.clip(5 + 1.3 * rng.standard_normal(options.songs), 0, 10)
    table = pd.DataFrame({"id": np.arange(options.songs), "artist_id": np.arange(options.songs) // 4, "label": label})
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        cards = train_regression(
            Data(vectors, table, {"encoder": "random"}, Path(folder)),
            ["label"],
            Path(folder) / "head",
            group="artist_id" if options.group else None,
            on_epoch=lambda what, epoch, epochs: print(
                f"{what} {epoch} {time.perf_counter() - started:.1f} s", flush=True
            ),
            recipe=options.recipe,
        )
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(cards["label"]["verdict"])
    for kind, split in cards["label"]["splits"].items():
        print(f"{kind}: epochs {split['training']['epochs']}")
    print(f"{options.songs} songs, recipe {options.recipe}: {seconds:.1f} s, peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()

"""Time and memory of the published recipe on 8,000 random embeddings of 1024 numbers: under 60 s and 2 GB wanted.

OMP_NUM_THREADS=2 python benchmarks/training.py [--group] [--full] [--recipe robust]

`--full` lets no training stop early: what 200 epochs cost. `--steps N` prints what a step costs beside the same network
in `torch.nn`, by turns, so that what else the machine does bears on both.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optimizer.training import head
from optimizer.training.data import Data
from optimizer.training.network import Recipe
from optimizer.training.parallel import cores
from optimizer.training.regress import train_regression


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="published")
    parser.add_argument("--songs", type=int, default=8000)
    parser.add_argument("--group", action="store_true", help="train under the grouped split too, as a card wants")
    parser.add_argument("--full", action="store_true", help="never stop early")
    parser.add_argument("--steps", type=int, help="only compare steps with torch.nn")
    options = parser.parse_args()
    if options.steps:
        compare(options.steps)
        return
    if options.full:
        head.PUBLISHED = replace(head.PUBLISHED, patience=head.PUBLISHED.epochs)
        head.ROBUST = replace(head.ROBUST, patience=head.ROBUST.epochs)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((options.songs, 1024)).astype(np.float32)
    label = np.clip(5 + 1.3 * rng.standard_normal(options.songs), 0, 10)
    table = pd.DataFrame({"id": np.arange(options.songs), "artist_id": np.arange(options.songs) // 4, "label": label})
    trained = 0.0
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()

        def tell(what: str, epoch: int, epochs: int) -> None:
            nonlocal trained
            trained = time.perf_counter() - started
            if epoch % 20 == 0:
                print(f"{what} {epoch} {trained:.1f} s", flush=True)

        cards = train_regression(
            Data(vectors, table, {"encoder": "random"}, Path(folder)),
            ["label"],
            Path(folder) / "head",
            group="artist_id" if options.group else None,
            on_epoch=tell,
            recipe=options.recipe,
        )
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(cards["label"]["verdict"])
    for kind, split in cards["label"]["splits"].items():
        print(f"{kind}: epochs {split['training'].get('epochs', 'none')}")
    print(
        f"{options.songs} songs, recipe {options.recipe}, {cores()} cores: {seconds:.1f} s, of which {trained:.1f} s "
        f"until the last epoch; {time.process_time():.1f} CPU s, peak memory {peak:.0f} MiB"
    )


def compare(steps: int) -> None:
    """Print CPU milliseconds a step of the published network, written out and in `torch.nn`."""
    import torch

    from optimizer.training.perceptron import Perceptron

    torch.set_num_threads(1)
    recipe = Recipe()
    x, y = torch.randn(5600, 1024), torch.randn(5600, 1)
    ours = Perceptron(1024, 1, recipe, torch.Generator().manual_seed(0))
    layers: list[torch.nn.Module] = []
    for width, size in zip((1024, *recipe.hidden), recipe.hidden, strict=False):
        layers += [torch.nn.Linear(width, size), torch.nn.BatchNorm1d(size), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(recipe.dropout)]
    theirs = torch.nn.Sequential(*layers, torch.nn.Linear(recipe.hidden[-1], 1))
    sides: dict[str, tuple[Any, Any]] = {
        "written out": (ours, torch.optim.AdamW([ours.flat], fused=True)),
        "torch.nn": (theirs, torch.optim.AdamW(theirs.parameters(), fused=True)),
    }
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(steps):
        for name, (network, adam) in sides.items():
            started = time.process_time()
            for _ in range(10):
                rows = torch.randint(5600, (64,))
                ours.forget()
                if network is theirs:
                    adam.zero_grad(set_to_none=True)
                loss = torch.nn.functional.mse_loss(network(x.index_select(0, rows)), y.index_select(0, rows))
                loss.backward()  # type: ignore[no-untyped-call]
                adam.step()
            spent[name].append((time.process_time() - started) / 10)
    for name, seconds in spent.items():
        low, middle = np.quantile(seconds, [0.1, 0.5]) * 1000
        print(f"{name}: {middle:.2f} ms a step (10 % quantile {low:.2f})")


if __name__ == "__main__":
    main()

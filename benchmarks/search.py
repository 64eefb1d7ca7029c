"""Compare search policies on simulated worlds: `python benchmarks/search.py --quick`, or without it for the full table.

Every policy meets the same worlds, and in them the same songs: the n-th take of a recipe scores the same for all.
Worlds of the table have seeds from 1,000,000 on; settings were chosen on others (docs/search.md).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import optuna  # noqa: E402
from landscape import GENRES, KINDS, Landscape, changed, read_songs  # noqa: E402
from optuna.distributions import BaseDistribution, CategoricalDistribution  # noqa: E402
from policies import FLIGHTS, KNOWS_LENGTH, TEMPI, Field, policies, timed  # noqa: E402

from optimizer.samplers import TopKSampler  # noqa: E402

FIRST_WORLD = 1_000_000
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "songs200.csv"
HIT = 4.0


@dataclass(frozen=True)
class Task:
    """One world and what to run in it."""

    world: int
    genre: int | None
    kind: str | None
    lengths: tuple[int, ...]
    names: tuple[str, ...]


_landscape: Landscape | None = None


def _open(songs: Path | None) -> None:
    global _landscape
    _landscape = Landscape(read_songs(songs) if songs is not None else None)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def _run(task: Task) -> dict[str, list[list[float]]]:
    """Return, by policy and length: top five, best, share of hits, true mean of the five, seconds per song."""
    assert _landscape is not None
    world = _landscape.world(FIRST_WORLD + task.world, genre=task.genre)
    if task.kind is not None:
        world = changed(world, task.kind)
    scores = world.takes(max(task.lengths))
    tempi = [list(map(int, bpm)) for bpm in _landscape.songs.bpms] if _landscape.songs else [list(TEMPI)] * 10
    if task.genre is not None:
        tempi = [tempi[task.genre]]
    if world.surface.shape[2] > len(tempi[0]):
        tempi = [list(TEMPI)]
    everything = policies(len(world.surface))
    others = _other_genres(task) if "sizes" in task.names else []
    results = {}
    for name in task.names:
        results[name] = []
        repeats = 4 if name == "random" else 1
        for length in task.lengths if name in KNOWS_LENGTH else task.lengths[-1:]:
            found = []
            for repeat in range(repeats):
                field = Field(world, scores, tempi, others)
                seconds = timed(everything[name], field, length, 1000 * repeat + task.world)
                cuts = [length] if name in KNOWS_LENGTH else task.lengths
                found.append([_measure(field, cut, seconds) for cut in cuts])
            results[name].extend(np.mean(found, axis=0).tolist())
    return results


def _other_genres(task: Task) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return twenty random songs of each of the other genres of a world of the same kind."""
    assert _landscape is not None
    whole = _landscape.world(FIRST_WORLD + task.world)
    takes = whole.takes(1)[:, :, 0]
    random = np.random.default_rng([task.world, 3])
    found = []
    for genre in range(len(whole.surface)):
        recipes = random.permutation(takes.shape[1])[:20]
        if genre != task.genre:
            found.append((recipes, takes[genre, recipes]))
    return found


def _measure(field: Field, length: int, seconds: float) -> list[float]:
    heard = np.array(field.heard[:length])
    top = np.argsort(-heard, kind="stable")[:5]
    surface = field.world.surface.reshape(field.genres, -1)
    true = np.mean([surface[field.asked[song]] for song in top])
    return [float(heard[top].mean()), float(heard.max()), float((heard >= HIT).mean()), float(true), seconds]


def compare(
    tasks: Sequence[Task], jobs: int, songs: Path | None, lengths: Sequence[int], title: str
) -> dict[str, list[dict[str, float]]]:
    """Run tasks, print a table, and return its numbers."""
    if jobs == 1:
        _open(songs)
        rows = [_run(task) for task in tasks]
    else:
        with ProcessPoolExecutor(jobs, initializer=_open, initargs=(songs,)) as pool:
            rows = list(pool.map(_run, tasks))
    print(f"\n{title}: {len(tasks)} worlds, gain of the mean of the five best over random, with 95 % intervals")
    head = "".join(f"{f'{length} songs':>24}" for length in lengths)
    print(f"{'policy':<11}{head}   best  >=4.0   true  ms/song")
    numbers: dict[str, list[dict[str, float]]] = {}
    for name in tasks[0].names:
        values = np.array([row[name] for row in rows])
        base = np.array([row["random"] for row in rows])
        oracle = np.array([row["oracle"] for row in rows])
        cells, numbers[name] = [], []
        for column, length in enumerate(lengths):
            gain = values[:, column, 0] - base[:, column, 0]
            whole = float((oracle[:, column, 0] - base[:, column, 0]).mean())
            error = 1.96 * float(gain.std(ddof=1)) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
            share = f"{gain.mean() / whole:5.0%}" if abs(whole) > 0.02 else "     "
            cells.append(f"{gain.mean():+10.3f} ± {error:.3f} {share}")
            numbers[name].append({"songs": length, "gain": float(gain.mean()), "error": error, "oracle": whole})
        last = values[:, -1].mean(axis=0)
        print(f"{name:<11}{''.join(cells)}  {last[1]:5.2f}  {last[2]:5.1%}  {last[3]:5.2f}  {1000 * last[4]:7.1f}")
    if "ours" in numbers:
        for rival in [name for name in numbers if name not in ("ours", "random", "grid", "recipe", "nsga2", "oracle")]:
            cells = []
            for column, _ in enumerate(lengths):
                lead = np.array([row["ours"][column][0] - row[rival][column][0] for row in rows])
                cells.append(f"{lead.mean():+10.3f} ± {1.96 * lead.std(ddof=1) / len(lead) ** 0.5:.3f}      ")
            print(f"ours - {rival}\n           {''.join(cells)}")
    if "ours" in numbers and len({task.genre for task in tasks}) > 1:
        lead = np.array([row["ours"][-1][0] - row["random"][-1][0] for row in rows])
        for genre, name in enumerate(GENRES):
            own = lead[[task.genre == genre for task in tasks]]
            if len(own) > 1:
                print(f"  {name:<10}{own.mean():+.3f} ± {1.96 * own.std(ddof=1) / len(own) ** 0.5:.3f}")
    sys.stdout.flush()
    return numbers


def proposal(finished: int = 1000, asked: int = 20) -> None:
    """Print what a proposal costs after many songs of a grid of 1,000 recipes, by turns with Optuna's TPE."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = {"style": [f"style {n}" for n in range(10)], "bpm": [*range(80, 180, 10)], "key": list("ABCDEFGHIJ")}
    space: dict[str, BaseDistribution] = {name: CategoricalDistribution(of) for name, of in values.items()}
    random = np.random.default_rng(0)
    songs = [
        optuna.trial.create_trial(
            params={name: of[random.integers(10)] for name, of in values.items()},
            distributions=space,
            value=float(random.normal(3.2, 0.4)),
        )
        for _ in range(finished)
    ]
    samplers = {
        "topk": TopKSampler(values, seed=1, n_trials=finished + asked),
        "tpe": optuna.samplers.TPESampler(seed=1, multivariate=True),
    }
    studies, spent = {}, {name: [0.0] * asked for name in samplers}
    for name, sampler in samplers.items():
        studies[name] = optuna.create_study(direction="maximize", sampler=sampler)
        studies[name].add_trials(songs)
    for turn in range(asked):
        for name, study in studies.items():
            begun = time.process_time()
            trial = study.ask(space)
            spent[name][turn] = time.process_time() - begun
            study.tell(trial, 3.0)
    for name, seconds in spent.items():
        low, middle, high = 1000 * np.quantile(seconds, [0.0, 0.5, 1.0])
        print(f"{name}: {middle:.0f} ms a proposal after {finished} songs ({low:.0f} to {high:.0f})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--songs", type=Path, help="songs to fit the worlds to (songs200.csv); the published table without"
    )
    parser.add_argument("--table", action="store_true", help="draw from the published table, wherever the songs are")
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument(
        "--part",
        choices=("one", "ten", "changed", "gp", "prior", "same", "flight", "proposal"),
        action="append",
        help="default: one, ten and changed",
    )
    parser.add_argument("--policy", action="append", help="leave out all but random, oracle and these")
    parser.add_argument("--lengths", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few worlds and short runs, under two minutes")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    options = parser.parse_args(arguments)
    if options.part == ["proposal"]:
        proposal()
        return
    if options.table and options.songs is not None:
        parser.error("--table and --songs cannot be given together")
    songs = options.songs if options.songs is not None else (BESIDE if BESIDE.is_file() and not options.table else None)
    print(f"worlds fitted to {songs}" if songs else "worlds drawn from the published genre table")
    count = 16 if options.quick else options.worlds
    chosen_parts = options.part or ["one", "ten", "changed"]
    plain = ("random", "grid", "recipe", "nsga2", "tpe", "tpe tuned", "ours", "oracle")
    if options.policy:
        wanted = ("random", "oracle", *options.policy)
        plain = tuple(name for name in (*plain[:-2], "blm", "open", "ours", "told", "oracle") if name in wanted)
    run = partial(compare, jobs=options.jobs, songs=songs)
    worlds = range(options.first, options.first + count)
    numbers = {}
    if "one" in chosen_parts:
        lengths = options.lengths or ((30, 60) if options.quick else (30, 60, 100, 200))
        tasks = [Task(world, world % 10, None, lengths, plain) for world in worlds]
        numbers["one genre"] = run(tasks, lengths=lengths, title="One genre")
    if "gp" in chosen_parts:
        lengths = options.lengths or (30, 60)
        names = ("random", "tpe", "gp", "ours", "oracle")
        tasks = [Task(world, world % 10, None, lengths, names) for world in worlds]
        numbers["gp"] = run(tasks, lengths=lengths, title="One genre, with Optuna's Gaussian process")
    if "prior" in chosen_parts:
        lengths = options.lengths or (30, 60)
        names = ("random", "ours", "sizes", "effects", "oracle")
        tasks = [Task(world, world % 10, None, lengths, names) for world in worlds]
        numbers["prior"] = run(tasks, lengths=lengths, title="One genre, after twenty songs of each of nine others")
    if "same" in chosen_parts:
        lengths = options.lengths or (30, 60)
        names = ("random", "ours", "prior", "prior swept", "oracle")
        tasks = [Task(world, world % 10, None, lengths, names) for world in worlds]
        numbers["same"] = run(tasks, lengths=lengths, title="One genre, after twenty songs of it")
    if "flight" in chosen_parts:
        lengths = options.lengths or (30, 60)
        names = (
            "random",
            "tpe",
            *(f"{name} x{flight}" for name in ("tpe", "ours") for flight in FLIGHTS),
            "ours",
            "oracle",
        )
        tasks = [Task(world, world % 10, None, lengths, names) for world in worlds]
        numbers["flight"] = run(tasks, lengths=lengths, title="One genre, so many songs in flight")
    if "ten" in chosen_parts:
        lengths = options.lengths or ((60,) if options.quick else (60, 100, 230))
        chosen = worlds[: max(4, count // 4)] if options.quick else worlds
        tasks = [Task(world, None, None, lengths, plain) for world in chosen]
        numbers["ten genres"] = run(tasks, lengths=lengths, title="Ten genres")
    if "changed" in chosen_parts:
        names = tuple(name for name in ("random", "tpe", "tpe tuned", "ours", "oracle") if name in plain)
        lengths = options.lengths or ((30,) if options.quick else (30, 60))
        for kind in options.kind or (KINDS[:3] if options.quick else KINDS):
            chosen = worlds[:6] if options.quick else worlds
            tasks = [Task(world, world % 10, kind, lengths, names) for world in chosen]
            numbers[kind] = run(tasks, lengths=lengths, title=f"Changed worlds, {kind}")
    if options.json is not None:
        options.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

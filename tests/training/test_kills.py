"""SIGKILL at random moments, then the same command: what comes out is what an untroubled run writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from optimizer.training.data import read_data

KEPT = {"card.json", "card.md", "head.json", "head.safetensors", "split.csv"}


JOBS = {
    "classification": ("train --task classification --data {data} --out {{out}} --group artist_id", 6, 0),
    "pairwise": ("train --task pairwise --data {data} --out {{out}} --pairs {data}/pairs.csv", 6, 0),
    "build": ("dataset build --engine synth --classes funk,rock --per-class 3 --duration 0.5 --out {{out}} "
              "--encoder acoustic", 4, 2),
}  # fmt: skip
"""By name: the command, how often it is killed, and the seed of when."""


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """All jobs in one program, which loads torch once."""
    folder = tmp_path_factory.mktemp("kills")
    data = write_songs(folder / "data")
    jobs = {
        name: {"words": words.format(data=data).split(), "whole": str(folder / "whole" / name), "seed": seed,
               "killed": str(folder / "killed" / name), "kills": kills}
        for name, (words, kills, seed) in JOBS.items()
    }  # fmt: skip
    program = Path(__file__).with_name("killed.py")
    done = subprocess.run([sys.executable, str(program), json.dumps(jobs)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        name: (told, Path(jobs[name]["whole"]), Path(jobs[name]["killed"]))
        for name, told in json.loads(done.stdout).items()
    }


def write_songs(folder):
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 120)
    vectors = (rng.standard_normal((120, 5)) + 2 * np.eye(5)[code]).astype(np.float32)
    table = pd.DataFrame({"id": rng.permutation(9000)[:120], "label": np.array(["funk", "pop", "rock"])[code],
                          "artist_id": rng.integers(0, 30, 120)})  # fmt: skip
    folder.mkdir()
    np.save(folder / "embeddings.npy", vectors)
    table.to_csv(folder / "table.csv", index=False)
    (folder / "embedding.json").write_text(json.dumps({"encoder": "acoustic-1", "key": "acoustic-1"}))
    a, b = rng.integers(0, 120, (2, 2000))
    a, b = a[a != b], b[a != b]
    winner = np.where(rng.random(len(a)) < 1 / (1 + np.exp(vectors[b, 4] - vectors[a, 4])), "a", "b")
    ids = table["id"].to_numpy()
    pd.DataFrame({"a_id": ids[a], "b_id": ids[b], "winner": winner}).to_csv(folder / "pairs.csv", index=False)
    return folder


@pytest.mark.parametrize("task", ["classification", "pairwise"])
def test_a_killed_training_ends_in_the_same_folder(troubled, task):
    told, whole, killed = troubled[task]
    assert len(told["kills"]) >= 3
    for state in told["kills"]:
        # A head is there with its card and its weights, or it is not there.
        if "head.json" in state["files"]:
            assert set(state["files"]) >= KEPT
            assert {name: state["files"][name] for name in KEPT} != {name: told["end"][name] for name in KEPT}
    assert set(told["end"]) == KEPT
    for name in KEPT:
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_a_killed_build_renders_nothing_twice_and_leaves_no_process(troubled):
    told, whole, killed = troubled["build"]
    assert len(told["kills"]) >= 3 and any(state["family"] for state in told["kills"])
    for state in told["kills"]:
        assert state["alive"] == 0
        songs = {name: at for name, at in state["files"].items() if name.endswith(".flac")}
        # The very files, not others like them.
        assert songs.items() <= told["end"].items()
        assert ("embedding.json" not in state["files"]) or len(songs) == 6
    assert sum(name.endswith(".flac") for name in told["end"]) == 6
    assert set(told["end"]) == {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}
    for name in ("embeddings.npy", "embedding.json", "failures.csv", "dataset.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    first, second = (read_data(folder).table.drop(columns="path") for folder in (whole, killed))
    assert first.equals(second) and first["part"].tolist().count("test") == 2

"""Run a command, kill it at random moments, run it again; a program of its own, for `test_kills`.

Usage: killed.py JOBS, a JSON table of jobs by name: ``words`` of the command with ``{out}`` among them, folders
``whole`` and ``killed``, ``seed``, ``kills``. Each attempt is a fork that ends itself with SIGKILL before a random one
of its writes, renames and removals below its folder, which a whole run first counts. Prints, for each job, what was
there after each kill. What is imported here need not be by every fork.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path

import pandas as pd  # noqa: F401
import psutil
import scipy.optimize
import scipy.stats  # noqa: F401
import torch._dynamo  # noqa: F401

from optimizer.cli.main import app
from optimizer.training import bradley_terry, classify, network, pairwise, softmax

EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect"}


def watch(folder: Path, fatal: int, family: int) -> list[int]:
    """Count what is changed below a folder; before change number `fatal` write down the children, and die."""
    seen = [0]

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event not in EVENTS or not str(args[0]).startswith(str(folder)):
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        seen[0] += 1
        if seen[0] == fatal:
            pids = [child.pid for child in psutil.Process().children(recursive=True)]
            os.write(family, json.dumps(pids).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


def attempt(folder: Path, words: list[str], fatal: int = 0) -> tuple[int, list[int]]:
    """Run the command in a fork; return how it ended and what it wrote down: its children, or the changes counted."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        seen = watch(folder, fatal, tell)
        app([word.format(out=folder) for word in words], standalone_mode=False)
        os.write(tell, json.dumps(seen).encode())
        os._exit(0)
    os.close(tell)
    with os.fdopen(told) as pipe:
        said = json.loads(pipe.read() or "[]")
    return os.waitpid(pid, 0)[1], said


def files(folder: Path) -> dict[str, list[int]]:
    """Return every file below a folder with its inode and its time."""
    found = {str(path.relative_to(folder)): path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: [stat.st_ino, stat.st_mtime_ns, stat.st_size] for name, stat in found.items()}


def trouble(whole: Path, killed: Path, words: list[str], seed: int, kills: int) -> dict[str, object]:
    """Run a command untroubled in one folder, and killed again and again in another until it comes to its end."""
    status, (changes,) = attempt(whole, words)
    assert status == 0, status
    rng = random.Random(seed)
    # Less than a third each, so that a training is killed three times whatever is drawn; a build has a worker late.
    most = changes // (3 if words[0] == "train" else 2)
    states = []
    for _ in range(kills):
        status, family = attempt(killed, words, rng.randint(1, most))
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        _, alive = psutil.wait_procs([psutil.Process(pid) for pid in family if psutil.pid_exists(pid)], timeout=10)
        states.append({"files": files(killed), "family": len(family), "alive": len(alive)})
    status, _ = attempt(killed, words)
    assert status == 0, status
    return {"changes": changes, "kills": states, "end": files(killed)}


def main() -> None:
    softmax.ROBUST = network.Recipe(hidden=(8,), epochs=6, patience=3, rate=1e-2)
    bradley_terry.ROBUST = network.Recipe(hidden=(8,), norm="none", epochs=4, patience=3)
    softmax.PENALTIES = bradley_terry.PENALTIES = (1e-2, 1.0)
    network.CHECKPOINT_SECONDS = 0.0
    for function in (classify.train_classifier, pairwise.train_pairwise):
        function.__kwdefaults__ |= {"members": 2, "rounds": 10}
    # A killed process loses nothing that the system has; only a power cut would.
    os.fsync = lambda descriptor: None
    found = {}
    for name, job in json.loads(sys.argv[1]).items():
        found[name] = trouble(Path(job["whole"]), Path(job["killed"]), job["words"], job["seed"], job["kills"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()

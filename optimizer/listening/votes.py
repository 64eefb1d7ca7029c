"""The votes of a run: one JSON line each, written through to the disk before the listener is told so."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optimizer.errors import UsageError
from optimizer.runs import storage_error, write_atomic

VOTES_FILE = "votes.jsonl"
CHOICES = ("left", "right", "tie")
PAIR_COLUMNS = ("a_study", "a_number", "a_sha256", "b_study", "b_number", "b_sha256", "winner", "listener")


@dataclass(frozen=True, slots=True)
class Side:
    """A song as it stood in a ballot."""

    study: str
    number: int
    sha256: str

    @property
    def song(self) -> tuple[str, int]:
        """Study and trial number."""
        return (self.study, self.number)


@dataclass(frozen=True, slots=True)
class Vote:
    """What one listener said of one pair.

    Attributes
    ----------
    ballot : str
        Equal for the same pair and listener, whichever side a song stood on; only its first vote counts.
    listener : str
    left, right : Side
        As they were presented.
    choice : {"left", "right", "tie"}
    time : float
        Unix time.
    heard : tuple of float
        Seconds that were played of the left song and of the right one.
    gain_db : tuple of float
        By which each was brought to the same loudness.
    """

    ballot: str
    listener: str
    left: Side
    right: Side
    choice: str
    time: float
    heard: tuple[float, float] = (0.0, 0.0)
    gain_db: tuple[float, float] = (0.0, 0.0)


class VoteFile:
    """Appends votes, each once.

    The file is locked while a vote is added, and read again first: two servers of one run cannot count a ballot twice.

    Parameters
    ----------
    path : Path
        Made when the first vote comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, vote: Vote) -> bool:
        """Keep a vote; on return it is on the disk.

        Returns
        -------
        bool
            False if its ballot was voted on before: the earlier vote stays.

        Raises
        ------
        StorageFull, UsageError
            If it cannot be written; it is then not counted.
        """
        line = json.dumps(asdict(vote), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    return self._append(descriptor, vote.ballot, line)
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise storage_error(error, self.path) from error

    def _append(self, descriptor: int, ballot: str, line: bytes) -> bool:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            # The end of a line that a dying process did not finish; nobody was told that it counted.
            os.ftruncate(descriptor, whole)
        if any(vote.ballot == ballot for vote in _parse(content[:whole], self.path)):
            return False
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, whole)
            raise
        return True


def read_votes(path: Path) -> tuple[Vote, ...]:
    """Return the votes of a file, one per ballot, the first one counting; none if there is no file.

    A last line without its end is left out.

    Raises
    ------
    UsageError
        Naming a line that is no vote.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    votes: dict[str, Vote] = {}
    for vote in _parse(content[: content.rfind(b"\n") + 1], path):
        votes.setdefault(vote.ballot, vote)
    return tuple(votes.values())


def _parse(content: bytes, path: Path) -> Iterable[Vote]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield _vote(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{path}, line {number} is not a vote: {error}.", next_step="Mend or remove that line."
            ) from error


def _vote(fields: dict[str, Any]) -> Vote:
    if fields["choice"] not in CHOICES:
        raise ValueError(f"choice {fields['choice']!r} is not one of {', '.join(CHOICES)}")
    sides = {name: Side(str(side["study"]), int(side["number"]), str(side["sha256"]))
             for name, side in (("left", fields["left"]), ("right", fields["right"]))}  # fmt: skip
    heard, gain = fields.get("heard", (0.0, 0.0)), fields.get("gain_db", (0.0, 0.0))
    return Vote(
        ballot=str(fields["ballot"]),
        listener=str(fields.get("listener", "")),
        left=sides["left"],
        right=sides["right"],
        choice=fields["choice"],
        time=float(fields.get("time", 0.0)),
        heard=(float(heard[0]), float(heard[1])),
        gain_db=(float(gain[0]), float(gain[1])),
    )


def write_pairs(votes: Iterable[Vote], path: Path) -> int:
    """Write the votes as a CSV file for ``optimize train --task pairwise``.

    Columns are `PAIR_COLUMNS`: a is the left song, b the right one, ``winner`` is ``a``, ``b`` or ``tie``. The listener
    is written too, for one ear's votes depend on each other: ``optimize evaluate --pairs`` looks for that column.

    Returns
    -------
    int
        Rows written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PAIR_COLUMNS)
    rows = 0
    for vote in votes:
        winner = {"left": "a", "right": "b", "tie": "tie"}[vote.choice]
        a, b = vote.left, vote.right
        writer.writerow([a.study, a.number, a.sha256, b.study, b.number, b.sha256, winner, vote.listener])
        rows += 1
    write_atomic(path, text.getvalue().encode())
    return rows

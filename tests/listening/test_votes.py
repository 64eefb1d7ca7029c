"""Votes: counted once, on the disk when told so, and readable after any death."""

from __future__ import annotations

import csv
import fcntl
import os
import threading
from dataclasses import replace

import pytest

from optimizer.errors import StorageFull, UsageError
from optimizer.listening import Side, Vote, VoteFile, read_votes, write_pairs
from optimizer.listening.votes import PAIR_COLUMNS

VOTE = Vote("00ff", "me", Side("a", 1, "11"), Side("ਢੋਲ", 2, "22"), "left", 12.5, (1.0, 2.0), (-1.5, 0.0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "votes.jsonl"


def test_comes_back_as_it_went(path):
    assert VoteFile(path).add(VOTE)
    assert read_votes(path) == (VOTE,)


def test_no_file_is_no_votes(path):
    assert read_votes(path) == ()


def test_counts_a_ballot_once_whoever_adds_it(path):
    assert VoteFile(path).add(VOTE)
    assert not VoteFile(path).add(replace(VOTE, choice="right"))
    assert read_votes(path) == (VOTE,)


def test_a_torn_last_line_is_left_out_and_mended(path):
    VoteFile(path).add(VOTE)
    with path.open("ab") as file:
        file.write(b'{"ballot":"torn","listener"')
    assert read_votes(path) == (VOTE,)
    second = replace(VOTE, ballot="01aa")
    assert VoteFile(path).add(second)
    assert read_votes(path) == (VOTE, second)
    assert b"torn" not in path.read_bytes()


def test_every_cut_of_the_file_can_be_read(path):
    for name in ("00", "11", "22"):
        VoteFile(path).add(replace(VOTE, ballot=name))
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert len(read_votes(path)) == whole[:cut].count(b"\n")


def test_a_damaged_line_is_named(path):
    VoteFile(path).add(VOTE)
    with path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(UsageError, match=r"line 2 is not a vote: 'choice'"):
        read_votes(path)


def test_a_vote_that_is_not_on_the_disk_is_not_counted(path, monkeypatch):
    VoteFile(path).add(VOTE)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageFull):
            VoteFile(path).add(replace(VOTE, ballot="next"))
    assert path.read_bytes() == before
    assert VoteFile(path).add(replace(VOTE, ballot="next"))


def test_many_writers_lose_nothing_and_count_nothing_twice(path):
    counted = []

    def work():
        file = VoteFile(path)
        counted.extend(file.add(replace(VOTE, ballot=f"{number:x}")) for number in range(15))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counted) == 15
    assert path.read_bytes().count(b"\n") == len(read_votes(path)) == 15


def test_waits_for_another_process_that_is_writing(path):
    path.touch()
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=VoteFile(path).add, args=(VOTE,))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert path.read_bytes() == b""
    thread.join()
    assert read_votes(path) == (VOTE,)


def test_pairs_name_the_winner(tmp_path):
    votes = [
        replace(VOTE, ballot=choice, choice=choice, listener=who)
        for choice, who in zip(("left", "right", "tie"), ("me", "you", "ਤੂੰ"), strict=True)
    ]
    assert write_pairs(votes, tmp_path / "pairs.csv") == 3
    with (tmp_path / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == PAIR_COLUMNS
    assert [row["winner"] for row in rows] == ["a", "b", "tie"]
    assert [row["listener"] for row in rows] == ["me", "you", "ਤੂੰ"]
    assert (rows[0]["a_number"], rows[0]["b_study"], rows[0]["b_sha256"]) == ("1", "ਢੋਲ", "22")

"""The displays: one line per song, JSON lines, and a live table that stays whole on a small terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from optimizer.cli.display import Lines, Plain, Rich, duration, make
from optimizer.loop import Failed, Finished, Rendered, Started, Stepped
from optimizer.scoring.base import Score
from optimizer.study import Pending


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def events(make_recipe):
    """A short run: a song, a failure, a better song, and one in flight."""
    pending = [Pending(number, make_recipe(seed=number), "sweep") for number in range(4)]
    return [
        Started(pending[0]),
        Stepped(0, 3, 8),
        Rendered(0, 1.5),
        Finished(pending[0], Path("songs/0000.flac"), Score(3.25, {"pulse": 3.0}), {"render": 1.5}, 6),
        Started(pending[1]),
        Failed(pending[1], "silence", "the clip is silent"),
        Started(pending[2]),
        Finished(pending[2], Path("songs/0002.flac"), Score(4.5), {"render": 1.4}, 7),
        Started(pending[3]),
        Stepped(3, 5, 8),
    ]


def play(display, events, clock):
    for event in events:
        clock.now += 1.0
        display(event)


def test_plain_is_one_line_per_finished_or_failed_trial(events):
    clock, stream = Clock(), io.StringIO()
    play(Plain(30, 5, 4.0, clock, stream=stream), events, clock)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "6/30" in lines[0]
    assert "3.25" in lines[0]
    assert "best  4.00" in lines[0]
    assert "failed: the clip is silent" in lines[1]
    assert "best  4.50" in lines[2]
    # 2 songs in 8 seconds, 23 to go.
    assert "eta 1m 32s" in lines[2]


def test_json_lines_are_documents_with_every_event(events):
    clock, stream = Clock(), io.StringIO()
    play(Lines(30, 5, None, clock, stream=stream), events, clock)
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [document["event"] for document in documents] == [
        "started", "step", "rendered", "finished", "started", "failed", "started", "finished", "started", "step",
    ]  # fmt: skip
    assert documents[3]["score"] == 3.25
    assert documents[3]["parts"] == {"pulse": 3.0}
    assert documents[5]["reason"] == "silence"


@pytest.mark.parametrize("width", [60, 100])
def test_the_live_table_shows_songs_failures_and_flights(events, width):
    clock = Clock()
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    display = Rich(30, 5, 4.0, clock, console=console)
    play(display, events, clock)
    with console.capture() as captured:
        console.print(display.render())
    text = captured.get()
    assert "7 of 30 songs" in text
    assert "best 4.50" in text
    assert "1 failed" in text
    assert "silence" in text
    assert "step 5/8" in text
    assert all(len(line) <= width for line in text.splitlines())


def test_auto_is_plain_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert type(make("auto", 3, 0, None)) is Plain


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4s"), (200, "3m 20s"), (3900, "1h 05m"), (59.6, "1m 00s")])
def test_times_are_spelt_for_people(seconds, text):
    assert duration(seconds) == text

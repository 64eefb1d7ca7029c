"""Plots: well-formed, legible labels, and nothing of a caption is markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from optimizer.report import plots
from optimizer.report.intervals import Interval

HOSTILE = "<script>alert(\"1\")</script> & 'ਢੋਲ'"
ROWS = [(HOSTILE, Interval(3.0, 2.5, 3.5, 9)), ("one song", Interval(4.0, None, None, 1))]


@pytest.mark.parametrize(
    "svg",
    [
        plots.dots(HOSTILE, ROWS, line=3.2),
        plots.trials([0, 1, 2], [3.0, 4.0, 3.5], ["sweep", "refine", HOSTILE]),
        plots.histogram([1.0, 2.0, 2.0], [3.0], HOSTILE),
        plots.heat(HOSTILE, ["90", "120"], [HOSTILE], {(0, 1): ROWS[0][1]}, 2.0, 4.0),
        plots.scatter(HOSTILE, [(90, ROWS[0][1]), (120, ROWS[1][1])], [(90, 3.0), (120, 3.5)], "BPM"),
        plots.histogram([3.0]),
        plots.trials([0], [3.0], ["sweep"]),
    ],
)
def test_is_xml_with_a_label_and_no_script(svg):
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert not list(root.iter("script"))
    assert "style=" not in svg


def test_ticks_are_round_and_within():
    assert plots.ticks(0.03, 0.97, 5) == [0.2, 0.4, 0.6, 0.8]
    assert plots.ticks(-0.001, 1, 5)[0] == 0
    assert str(plots.ticks(-0.001, 1, 5)[0]) == "0.0"


def test_numbers_are_spelled_with_interval_and_n():
    assert plots.spell(Interval(3.416, 3.2, 3.62, 24)) == "3.42 [3.20, 3.62], n=24"
    assert plots.spell(Interval(0.5, 0.25, 0.75, 4), percent=True) == "50% [25%, 75%], n=4"
    assert plots.spell(Interval(4.0, None, None, 1)) == "4.00, n=1"


def test_a_long_label_is_cut_and_told_in_full():
    label = "a style with a very long name indeed"
    svg = plots.dots("t", [(label, Interval(3.0, 2.5, 3.5, 9))])
    assert f"<title>{label}</title>" in svg
    assert "…</text>" in svg

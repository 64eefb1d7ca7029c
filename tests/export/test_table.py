"""Tables: a line per song, columns that stay in place, parts of their own."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

from optimizer.export.table import to_csv, write_csv, write_json


def test_csv_reads_back(playlist, tmp_path):
    with write_csv(playlist, tmp_path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1"]
    wanted = {"bpm": "105", "key": "E minor", "camelot": "9A", "part_pulse": "4.5", "gain_db": "-1.5"}
    assert rows[1] | wanted == rows[1]
    assert rows[0]["caption"] == 'Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert rows[0]["expected"] == ""


def test_json_has_the_same_columns(playlist, tmp_path):
    rows = json.loads(write_json(playlist, tmp_path).read_text(encoding="utf-8"))
    assert rows[0]["score"] == 3.0 and rows[0]["expected"] is None
    header = write_csv(playlist, tmp_path).read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header == list(rows[0])


def test_a_part_only_some_songs_have_is_empty_for_the_others(playlist, tmp_path):
    first, second = playlist.tracks
    second = replace(second, song=replace(second.song, parts={"clap": 7.0}))
    head, _, two = write_csv(replace(playlist, tracks=(first, second)), tmp_path).read_text("utf-8").splitlines()
    names = head.split(",")
    assert names[names.index("shrunken") + 1 : names.index("seconds")] == ["part_clap", "part_mode", "part_pulse"]
    assert two.split(",")[names.index("part_clap")] == "7.0"
    assert to_csv([]) == "\n"

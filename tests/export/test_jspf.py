"""JSPF: the same playlist as JSON."""

from __future__ import annotations

import json

from optimizer.export.jspf import write


def test_it_says_what_xspf_says(playlist, tmp_path):
    document = json.loads(write(playlist, tmp_path).read_text(encoding="utf-8"))["playlist"]
    first, second = document["track"]
    assert document["title"] == 'Best Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert first["location"] == ["audio/01%20-%20%C3%9Cn%C3%AFcode%20&%20%E0%A8%A8%E0%A9%B1%E0%A8%9A%E0%A9%8B.flac"]
    assert first["identifier"] == ["urn:sha256:" + "ab" * 32]
    assert (second["trackNum"], second["duration"]) == (2, 1000)
    assert {"urn:banger-optimizer:bpm": "105"} in second["meta"]

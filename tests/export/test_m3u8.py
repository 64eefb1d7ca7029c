"""M3U8: what players expect, and what a parser of somebody else's reads."""

from __future__ import annotations

import m3u8

from optimizer.export.m3u8 import write


def test_the_lines(playlist, tmp_path):
    content = write(playlist, tmp_path).read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\n") and b"\r" not in content
    lines = content.decode().splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[1] == '#PLAYLIST:Best Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert lines[2] == '#EXTINF:1,synth & co - Title Dhol & "tumbi" <b> ਨੱਚੋ | é [95 BPM, G major]'
    assert lines[4] == "audio/01 - Ünïcode & ਨੱਚੋ.flac"
    assert lines[7] == "audio/02 - Plain.flac"


def test_another_parser_reads_it(playlist, tmp_path):
    parsed = m3u8.load(str(write(playlist, tmp_path)))
    assert [segment.uri for segment in parsed.segments] == [track.file for track in playlist.tracks]
    assert [segment.duration for segment in parsed.segments] == [1.0, 1.0]
    assert parsed.segments[1].title == "synth & co - Plain [105 BPM, E minor]"

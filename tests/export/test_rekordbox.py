"""rekordbox XML: read by a library that reads DJs' own collections."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote

from pyrekordbox.rbxml import RekordboxXml

from optimizer.export.rekordbox import location, write


def test_another_parser_reads_it(playlist, tmp_path):
    parsed = RekordboxXml(write(playlist, tmp_path))
    assert parsed.num_tracks == 2
    first, second = parsed.get_tracks()
    assert first["Name"] == 'Title Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert (first["AverageBpm"], first["Tonality"], second["Tonality"]) == (95.0, "G", "Em")
    assert (first["TotalTime"], first["SampleRate"], first["Kind"]) == (1, 22_050, "FLAC File")
    (tempo,) = first.tempos
    assert (tempo["Inizio"], tempo["Bpm"], tempo["Metro"], tempo["Battito"]) == (0.123, 95.0, "4/4", 1)
    (node,) = parsed.get_playlist().get_playlists()
    assert node.name == 'Best Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert node.get_tracks() == [1, 2]


def test_locations_are_those_of_the_finished_folder(playlist, tmp_path):
    content = write(playlist, tmp_path).read_text(encoding="utf-8")
    wanted = location(playlist.home / "audio/01 - Ünïcode & ਨੱਚੋ.flac")
    assert wanted.startswith("file://localhost/") and " " not in wanted and wanted in content.replace("&amp;", "&")
    assert PurePosixPath(unquote(wanted.removeprefix("file://localhost"))) == playlist.home / playlist.tracks[0].file

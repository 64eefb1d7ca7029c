"""Tags: read back by another library, in all three formats, with the audio untouched."""

from __future__ import annotations

import mutagen
import numpy as np
import pytest

from optimizer import audio
from optimizer.errors import UsageError
from optimizer.export import flac, id3
from optimizer.export.tags import ISO_639_2, tags_of, write_tags
from optimizer.recipe import LANGUAGES

TITLE = 'Title Dhol & "tumbi" <b> ਨੱਚੋ | é'
CAPTION = 'Dhol & "tumbi" <b> ਨੱਚੋ | é'


@pytest.fixture(params=["flac", "mp3", "wav"])
def tagged(request, masters, tmp_path, track):
    path = tmp_path / f"song.{request.param}"
    audio.transcode(masters[0], path)
    before = audio.read(path).samples
    write_tags(path, tags_of(track, total=2))
    assert np.array_equal(audio.read(path).samples, before)
    return path


def values(path):
    """Return the tags by lower-case name, whatever the format."""
    tags = mutagen.File(path).tags
    if path.suffix == ".flac":
        return {name.lower(): value[0] for name, value in tags.items()}
    names = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TCON": "genre", "TBPM": "bpm", "TKEY": "initialkey"}
    names |= {"TLAN": "language", "COMM::eng": "comment", "TRCK": "tracknumber", "USLT::pan": "lyrics"}
    found = {}
    for name, frame in tags.items():
        plain = names.get(name, name.removeprefix("TXXX:").lower())
        found[plain] = frame.text if name.startswith("USLT") else str(frame.text[0])
    return found


def test_every_tag_is_read_back(tagged):
    found = values(tagged)
    assert (
        found
        | {
            "title": TITLE,
            "artist": "synth & co",
            "album": "bhangra",
            "genre": "bhangra",
            "bpm": "95",
            "initialkey": "G",
            "key": "G major",
            "camelot": "9B",
            "language": "pan",
            "comment": CAPTION,
            "score": "3.0000",
            "seed": "0",
            "engine": "synth",
            "model_revision": "r1",
            "study": "bhangra",
            "trial": "0",
            "lyrics": "[Verse]\nਨੱਚੋ",
        }
        == found
    )
    assert found["tracknumber"] in ("1", "1/2")


def test_tagging_again_replaces(tagged, track):
    once = tagged.read_bytes()
    write_tags(tagged, tags_of(track, total=2))
    assert tagged.read_bytes() == once


def test_the_length_stays(tagged):
    assert mutagen.File(tagged).info.length == pytest.approx(1.0, abs=0.05)


def test_every_language_has_a_code():
    assert set(ISO_639_2) == set(LANGUAGES) - {"unknown"}
    assert all(len(code) == 3 for code in ISO_639_2.values())


def test_instrumentals_have_no_words(track, make_recipe, make_song):
    from dataclasses import replace

    silent = replace(track, song=make_song(recipe=make_recipe(language="unknown", lyrics="")))
    tags = tags_of(silent, total=1)
    assert tags["language"] == "zxx" and "lyrics" not in tags


def test_old_tags_of_an_mp3_go(masters, tmp_path):
    path = tmp_path / "song.mp3"
    audio.transcode(masters[0], path)
    bare = path.read_bytes()
    old = id3.tag([id3.text_frame("TIT2", "old")])
    path.write_bytes(old + b"\0" * 100 + bare + b"TAG" + b" " * 125)
    write_tags(path, {"title": "new"})
    assert path.read_bytes() == id3.tag([id3.text_frame("TIT2", "new")]) + bare


def test_other_flac_blocks_and_the_vendor_stay(masters, tmp_path):
    content = masters[0].read_bytes()
    seek_table = bytes([3, 0, 0, 18]) + b"\xff" * 18
    content = content[:42] + seek_table + content[42:] if content[4] & 0x80 == 0 else content
    tagged = flac.with_comments(content, [("TITLE", "t")])
    path = tmp_path / "song.flac"
    path.write_bytes(tagged)
    opened = mutagen.File(path)
    assert opened["title"] == ["t"] and opened.seektable is not None
    assert opened.tags.vendor == mutagen.File(masters[0]).tags.vendor


def test_sizes_are_syncsafe():
    assert id3.syncsafe(0) == b"\0\0\0\0"
    assert id3.syncsafe(255) == b"\0\0\x01\x7f"
    with pytest.raises(ValueError, match="more than ID3 can hold"):
        id3.syncsafe(1 << 28)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.flac", b"RIFF", "not a FLAC file"),
        ("a.flac", b"fLaC\x84\x00\x10", "cut short"),
        ("a.flac", b"fLaC\x00\x00\x00\x22abc", "cut short"),
        ("a.mp3", b"\0" * 64, "no MPEG audio"),
        ("a.mp3", b"", "no MPEG audio"),
        ("a.wav", b"RIFX" + b"\0" * 8, "not a RIFF WAVE file"),
        ("a.ogg", b"OggS", "not '.ogg'"),
    ],
)
def test_what_cannot_be_tagged_is_named(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        write_tags(path, {"title": "t"})
    assert path.read_bytes() == content


@pytest.mark.parametrize("title", ["a", "ab"])
def test_chunks_of_a_wav_start_at_even_places(masters, tmp_path, title):
    path = tmp_path / "song.wav"
    audio.transcode(masters[0], path)
    write_tags(path, {"title": title})
    content = path.read_bytes()
    assert len(content) % 2 == 0 and int.from_bytes(content[4:8], "little") == len(content) - 8
    assert str(mutagen.File(path).tags["TIT2"]) == title

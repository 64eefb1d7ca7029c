"""Formats: found by name, ours before any plug-in's, and refused by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from optimizer.errors import UsageError
from optimizer.export import playlist as room
from optimizer.export.playlist import exporter, parse_formats, registered
from optimizer.export.xspf import write


def plug_in(monkeypatch, **entries):
    found = [EntryPoint(name, value, room.GROUP) for name, value in entries.items()]
    monkeypatch.setattr(room, "entry_points", lambda group: found if group == room.GROUP else [])


def test_formats_are_read_in_order_and_once():
    assert parse_formats("xspf, m3u8,xspf") == ("xspf", "m3u8")


@pytest.mark.parametrize("text", ["", " , "])
def test_no_format_is_an_error(text):
    with pytest.raises(UsageError, match="no export format"):
        parse_formats(text)


def test_an_unknown_format_is_named():
    with pytest.raises(UsageError, match=r"no export format 'm3u'\. Did you mean 'm3u8'\?(.|\n)*rekordbox"):
        parse_formats("m3u")


def test_ours_are_found_without_metadata(monkeypatch):
    plug_in(monkeypatch)
    assert set(registered()) == {"m3u8", "xspf", "jspf", "rekordbox", "csv", "json", "hf-dataset"}
    assert exporter("xspf") is write


def test_a_plug_in_adds_and_does_not_replace(monkeypatch):
    plug_in(monkeypatch, pls="optimizer.export.m3u8:write", xspf="optimizer.export.m3u8:write")
    assert exporter("pls").__module__ == "optimizer.export.m3u8"
    assert exporter("xspf") is write


@pytest.mark.parametrize("target", ["no.such.module:write", "optimizer.export.m3u8:nothing"])
def test_a_broken_plug_in_is_named(monkeypatch, target):
    plug_in(monkeypatch, pls=target)
    with pytest.raises(UsageError, match=r"export format 'pls' .* cannot be imported"):
        exporter("pls")


def test_keys_are_written_as_djs_do(track):
    assert (track.short_key, track.camelot) == ("G", "9B")

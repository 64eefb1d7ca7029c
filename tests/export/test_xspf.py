"""XSPF: valid by the rules of its schema, and read by a parser of somebody else's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
import xspf_lib

from optimizer.export.xspf import NAMESPACE, location, write

# The specification's content models: for each element its children in order, those that may repeat, and the
# attributes it must have. Written down from the text of "XSPF Version 1" (Xiph.Org).
MODELS = {
    "playlist": (
        "title creator annotation info location identifier image date license attribution link meta "
        "extension trackList",
        {"link", "meta", "extension"},
        {"version"},
    ),
    "trackList": ("track", {"track"}, set()),
    "track": (
        "location identifier title creator annotation info image album trackNum duration link meta extension",
        {"location", "identifier", "link", "meta", "extension"},
        set(),
    ),
    "meta": ("", set(), {"rel"}),
    "link": ("", set(), {"rel"}),
}
URIS = {"location", "identifier", "info", "image", "license", "link"}
COUNTS = {"trackNum", "duration"}
URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+")


def check(element, problems=None):
    """Return what is wrong with an element by the specification."""
    problems = [] if problems is None else problems
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    names, repeated, attributes = MODELS.get(name, ("", set(), set()))
    children = names.split()
    if not element.tag.startswith(f"{{{NAMESPACE}}}"):
        problems.append(f"{element.tag} is outside the namespace")
    if set(element.attrib) != attributes:
        problems.append(f"{name} has attributes {sorted(element.attrib)}")
    found = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    problems += [f"{child} in {name}" for child in found if child not in children]
    problems += [f"{child} twice in {name}" for child in set(found) - repeated if found.count(child) > 1]
    if found != sorted(found, key=lambda child: children.index(child) if child in children else -1):
        problems.append(f"{name}: children out of order")
    text = (element.text or "").strip()
    if children and text:
        problems.append(f"text in {name}")
    if name in URIS and not URI.fullmatch(text):
        problems.append(f"{name} {text!r} is no URI")
    if name in COUNTS and not (text.isascii() and text.isdigit()):
        problems.append(f"{name} {text!r} is no count")
    for value in element.attrib.values():
        if name in ("meta", "link") and not URI.fullmatch(value):
            problems.append(f"rel {value!r} is no URI")
    if name == "playlist" and (element.get("version") not in ("0", "1") or found.count("trackList") != 1):
        problems.append("playlist without version or trackList")
    for child in element:
        check(child, problems)
    return problems


def test_it_is_valid(playlist, tmp_path):
    content = write(playlist, tmp_path).read_bytes()
    assert content.startswith(b"<?xml") and b"\x00" not in content
    assert check(ElementTree.fromstring(content)) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        "<playlist version='1' xmlns='http://xspf.org/ns/0/'></playlist>",
        "<playlist xmlns='http://xspf.org/ns/0/'><trackList/></playlist>",
        "<playlist version='1' xmlns='http://xspf.org/ns/0/'><trackList/><title>late</title></playlist>",
        "<playlist version='1' xmlns='http://xspf.org/ns/0/'><trackList><track><location>a b</location></track>"
        "</trackList></playlist>",
        "<playlist version='1' xmlns='http://xspf.org/ns/0/'><trackList><track><bpm>1</bpm></track></trackList></playlist>",
        "<playlist version='1' xmlns='http://xspf.org/ns/0/'><trackList><track><meta>1</meta></track></trackList></playlist>",
    ],
)
def test_the_check_itself_finds_faults(spoilt):
    assert check(ElementTree.fromstring(spoilt))


def test_another_parser_reads_it(playlist, tmp_path):
    parsed = xspf_lib.Playlist.parse(str(write(playlist, tmp_path)))
    assert parsed.title == 'Best Dhol & "tumbi" <b> ਨੱਚੋ | é'
    first, second = parsed
    assert first.title == 'Title Dhol & "tumbi" <b> ਨੱਚੋ | é'
    assert first.creator == "synth & co" and second.album == "bhangra"
    assert second.location == ["audio/02 - Plain.flac"]
    assert (first.trackNum, first.duration) == (1, 1000)
    assert {meta.rel.rpartition(":")[2]: meta.content for meta in first.meta}["camelot"] == "9B"


def test_a_location_is_a_relative_uri():
    assert location("audio/01 - ਨ&#?.flac") == "audio/01%20-%20%E0%A8%A8&%23%3F.flac"

"""The page as a file: self-contained, harmless whatever a caption says, whole or not there, small and quick."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser

import pytest

from optimizer.errors import UsageError
from optimizer.report import Settings, write_report

HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert(2)"> & 'ਢੋਲ' <!-- "quoted" """


class Page(HTMLParser):
    """Collects tags, attributes and scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._in = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
            self._in = "script"

    def handle_endtag(self, tag):
        if tag == self._in:
            self._in = None

    def handle_data(self, data):
        if self._in:
            self.scripts[-1] += data


@pytest.fixture
def page(make_record, make_song, make_recipe, write_audio, tmp_path):
    record = make_record([], name="a-run")
    audio = write_audio(record.folder / "songs" / "0 & 1.flac", 0.5, 8000)
    recipe = make_recipe(genre="../../etc", style=HOSTILE, caption=HOSTILE, lyrics=HOSTILE)
    songs = [
        make_song(0, 4.0, recipe, study="a-run", audio=audio, curve=(1.0, 2.0), parts={HOSTILE: 1.0}),
        make_song(1, 3.0, study="a-run", phase=HOSTILE),
        make_song(2, 3.5, study="a-run", parts={HOSTILE: 2.0}, timings={HOSTILE: 1.0}),
    ]
    record = make_record(songs, name="a-run")
    out = record.folder / "report.html"
    write_report([record], out)
    text = out.read_text(encoding="utf-8")
    return record, text, Page(text)


def test_a_caption_is_never_markup(page):
    _, text, parsed = page
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert len(parsed.scripts) == 2
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    data = json.loads(parsed.scripts[0])
    assert HOSTILE in data["captions"]
    assert data["songs"][0]["t"] == HOSTILE


def test_nothing_comes_from_elsewhere(page):
    _, text, parsed = page
    policy = next(a["content"] for t, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for content, word in ((parsed.scripts[1], "script"), (re.search(r"<style>(.*?)</style>", text, re.S)[1], "style")):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{word}-src 'sha256-{digest}'" in policy
    assert not any(tag in ("link", "iframe", "object") for tag, _ in parsed.tags)
    assert not any("style" in attributes for _, attributes in parsed.tags)
    sources = [a["src"] for _, a in parsed.tags if a.get("src")]
    assert sources == ["songs/0%20%26%201.flac"]
    assert not re.findall(r"(?:src|href)=\"?(?:https?:)?//", text)


def test_has_literal_players_headings_and_labels(page):
    _, text, parsed = page
    assert text.startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in parsed.tags
    assert sum(tag == "h1" for tag, _ in parsed.tags) == 1
    players = [attributes for tag, attributes in parsed.tags if tag == "audio"]
    assert len(players) == 2
    assert all("aria-label" in attributes for attributes in players)
    assert all(a.get("scope") for tag, a in parsed.tags if tag == "th")
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_embedded_songs_need_no_file(page, tmp_path):
    record, _, _ = page
    out = tmp_path / "alone.html"
    write_report([record], out, Settings(embed=2))
    parsed = Page(out.read_text(encoding="utf-8"))
    names = [attributes.get("id") for tag, attributes in parsed.tags if tag == "script"]
    packed = dict(zip(names, parsed.scripts, strict=True))["audio-0"]
    assert len(base64.b64decode(packed)) > 500
    assert json.loads(parsed.scripts[0])["songs"][0]["a"] == "#"
    assert not any(a.get("src") for _, a in parsed.tags)


def test_audio_is_named_from_where_the_page_lies(page, tmp_path):
    record, _, _ = page
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "elsewhere" / "r.html"
    write_report([record], out)
    assert 'src="../a-run/songs/0%20%26%201.flac"' in out.read_text(encoding="utf-8")


def test_the_head_says_what_ran(make_record, make_song, tmp_path):
    from optimizer.song import FailedTrial

    songs = [make_song(0, 4.0, info={"sandbox": "off"}, shrunken=3.7), make_song(1, 3.0, info={"sandbox": "landlock"})]
    failed = (FailedTrial(2, None, "crash", ""),)
    out = tmp_path / "r.html"
    write_report([make_record(songs, failed=failed)], out)
    text = out.read_text(encoding="utf-8")
    for said in ("engine synth 1", "judge acoustic", "sandbox landlock and off", "1 failed: 1 crash", "3.70 once luck"):
        assert said in text


def test_several_runs_are_told_apart(make_record, many_songs, tmp_path):
    records = [make_record(many_songs(8, study=name, seed=place), name=name) for place, name in enumerate("ab")]
    out = tmp_path / "both.html"
    found = write_report(records, out)
    assert len(found.songs) == 16
    assert json.loads(Page(out.read_text(encoding="utf-8")).scripts[0])["studies"] == ["a", "b"]


def test_a_page_that_cannot_be_written_leaves_nothing(make_record, many_songs, tmp_path, monkeypatch):
    record = make_record(many_songs(4))
    with pytest.raises(UsageError, match="is a folder"):
        write_report([record], tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        write_report([record], tmp_path / "none" / "r.html")
    out = tmp_path / "r.html"
    out.write_text("the old one")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optimizer.runs.os.fsync", fail)
    with pytest.raises(Exception, match="disk is full"):
        write_report([record], out)
    assert out.read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["r.html"]


def test_two_thousand_songs_are_quick_and_small(make_record, many_songs, tmp_path):
    record = make_record(many_songs(2000, tuple(f"genre-{index}" for index in range(10))))
    out = tmp_path / "big.html"
    before = time.process_time()
    write_report([record], out)
    assert time.process_time() - before < 15
    assert out.stat().st_size < 5e6

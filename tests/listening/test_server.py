"""The server: this machine only, behind its token; songs by range; votes kept once and kept through SIGKILL."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from optimizer.errors import UsageError
from optimizer.listening import ListeningTest, read_votes, serve
from optimizer.listening.server import level_gains

IN_CHILD = """
import sys
from pathlib import Path
from optimizer.listening import ListeningTest, serve
from optimizer.recipe import Recipe
from optimizer.song import Song
folder = Path(sys.argv[1])
songs = [
    Song("a", n, Recipe("g", "s", "c", 100 + n, "C major", "en", "la", n), "sweep", 3.0, folder / f"{n}.flac", str(n))
    for n in range(4)
]
server, address = serve(ListeningTest(songs, folder / "votes.jsonl", seed=1))
print(address, flush=True)
server.serve_forever()
"""


class Client:
    """Speaks HTTP with one address."""

    def __init__(self, address):
        self.parts = urlsplit(address)

    def ask(self, path="", method="GET", body=None, prefix=None, **headers):
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=20)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        target = (self.parts.path if prefix is None else prefix) + path
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def ballot(self):
        return json.loads(self.ask("ballot")[2])

    def vote(self, ballot, choice="left", **more):
        body = json.dumps({"ballot": ballot, "choice": choice, "heard": [1, 2]})
        return self.ask("vote", "POST", body, **{"Content_Type": "application/json", **more})


@pytest.fixture
def songs(make_song, make_recipe, write_audio, tmp_path):
    return [
        make_song(n, 3.0, make_recipe(bpm=100 + n), audio=write_audio(tmp_path / f"{n}.flac", 0.5, 8000, seed=n))
        for n in range(3)
    ]


@pytest.fixture
def client(songs, tmp_path):
    server, address = serve(ListeningTest(songs, tmp_path / "votes.jsonl", seed=0))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Client(address)
    server.shutdown()
    server.server_close()
    thread.join()


def test_is_bound_to_this_machine_and_says_nothing_without_the_token(client):
    assert client.parts.hostname == "127.0.0.1"
    assert len(client.parts.path) > 30
    assert client.ask()[0] == 200
    for prefix in ("/", "/x/", "/" + "a" * 32 + "/", client.parts.path.rstrip("/"), "//", "/%00/"):
        status, _, content = client.ask(prefix=prefix)
        assert status == 404
        assert b"Which one" not in content


def test_another_hosts_name_is_refused(client):
    for host in ("evil.example", f"evil.example:{client.parts.port}", "127.0.0.1", ""):
        assert client.ask(Host=host)[0] == 403
    assert client.ask(Host=f"localhost:{client.parts.port}")[0] == 200


def test_pages_forbid_everything_foreign(client):
    _, headers, content = client.ask()
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert b"http:" not in content
    assert client.ask("listen.js")[0] == client.ask("listen.css")[0] == 200
    assert client.ask("../votes.jsonl")[0] == client.ask("server.py")[0] == 404


def test_a_ballot_is_blind(client, songs):
    found = client.ballot()
    assert set(found) == {"ballot", "gain", "done", "total"}
    assert (found["done"], found["total"]) == (0, 3)
    for side in ("left", "right"):
        status, headers, content = client.ask(f"audio/{found['ballot']}/{side}")
        assert status == 200
        assert content in {song.audio.read_bytes() for song in songs}
        assert not any(".flac" in value for value in headers.values())
    assert client.ballot()["ballot"] == found["ballot"]
    assert client.ask("audio/0123456789abcdef/left")[0] == 404


def test_songs_come_by_range(client):
    path = f"audio/{client.ballot()['ballot']}/left"
    whole = client.ask(path)[2]
    size = len(whole)
    for asked, first, last in (("bytes=0-99", 0, 99), ("bytes=100-", 100, size - 1), ("bytes=-50", size - 50, size - 1),
                               (f"bytes=10-{size + 99}", 10, size - 1)):  # fmt: skip
        status, headers, content = client.ask(path, Range=asked)
        assert (status, content) == (206, whole[first : last + 1])
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert headers["Accept-Ranges"] == "bytes"
    assert client.ask(path, Range=f"bytes={size}-")[0] == 416
    assert client.ask(path, Range="bytes=x-y")[0] == 200
    assert client.ask(path, "HEAD")[2] == b""


def test_votes_are_kept_once_to_the_end(client, tmp_path):
    path = tmp_path / "votes.jsonl"
    for number, choice in enumerate(("left", "tie", "right"), 1):
        ballot = client.ballot()["ballot"]
        assert json.loads(client.vote(ballot, choice)[2]) == {"counted": True}
        assert len(read_votes(path)) == number
        assert json.loads(client.vote(ballot, "left")[2]) == {"counted": False}
    assert [vote.choice for vote in read_votes(path)] == ["left", "tie", "right"]
    assert read_votes(path)[0].heard == (1.0, 2.0)
    assert client.ballot() == {"ballot": None, "done": 3, "total": 3}


def test_what_is_no_vote_is_refused(client, tmp_path):
    ballot = client.ballot()["ballot"]
    refused = [
        client.vote("0123456789abcdef"),
        client.vote(ballot, "best"),
        client.vote(ballot, Content_Type="text/plain"),
        client.vote(ballot, Origin="http://evil.example"),
        client.ask("vote", "POST", "[]", Content_Type="application/json"),
        client.ask("vote", "POST", "{", Content_Type="application/json"),
        client.ask("vote", "POST", " " * 5000, Content_Type="application/json"),
        client.ask("ballot", "POST", "{}", Content_Type="application/json"),
    ]
    assert [status for status, _, _ in refused] == [400, 400, 415, 403, 400, 400, 413, 404]
    assert read_votes(tmp_path / "votes.jsonl") == ()


def test_songs_are_only_turned_down_to_the_quietest(make_song, write_audio, tmp_path):
    import soundfile

    loud = write_audio(tmp_path / "loud.flac", 1.0, 8000)
    samples, rate = soundfile.read(loud)
    soundfile.write(tmp_path / "quiet.flac", samples / 4, rate)
    soundfile.write(tmp_path / "silent.flac", samples * 0, rate)
    paths = [loud, tmp_path / "quiet.flac", tmp_path / "silent.flac"]
    gains = level_gains([make_song(number, audio=path) for number, path in enumerate(paths)])
    assert list(gains.values()) == [pytest.approx(-12.04, abs=0.05), 0.0, 0.0]


def test_a_taken_port_is_said(songs, tmp_path):
    test = ListeningTest(songs, tmp_path / "votes.jsonl")
    server, _ = serve(test)
    with pytest.raises(UsageError, match="cannot be used"):
        serve(test, server.server_address[1])
    server.server_close()


def test_votes_survive_a_kill_at_any_moment(songs, write_audio, tmp_path):
    write_audio(tmp_path / "3.flac", 0.5, 8000, seed=3)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    told = []
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", IN_CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        client = Client(re.search(r"http\S+", child.stdout.readline())[0])
        found = client.ballot()
        assert found["done"] == len(told)
        if client.vote(found["ballot"])[0] == 200:
            told.append(found["ballot"])
        # A second vote is on its way when the server dies.
        threading.Timer(0.0, os.kill, (child.pid, signal.SIGKILL)).start()
        following = None
        try:
            following = client.ballot()["ballot"]
            if json.loads(client.vote(following)[2])["counted"]:
                told.append(following)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        child.wait()
        child.stdout.close()
        kept = [vote.ballot for vote in read_votes(tmp_path / "votes.jsonl")]
        assert set(told) <= set(kept)
        assert len(kept) == len(set(kept))
        # A vote may be on the disk although its listener was never told: it counts, and is not asked again.
        told = kept

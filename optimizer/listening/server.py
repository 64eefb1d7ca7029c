"""Serves a listening test to the browser of this machine: 127.0.0.1 only, behind a random token."""

from __future__ import annotations

import json
import math
import random
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

from optimizer.errors import BadAudio, OptimizeError, UsageError
from optimizer.listening.ballots import Ballot, ballot_id, next_ballot
from optimizer.listening.votes import CHOICES, Side, Vote, VoteFile, read_votes
from optimizer.song import Song

HOST = "127.0.0.1"
LARGEST = 4096
"""Bytes of a vote; a longer body is not read."""

_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
_PAGES = {
    "": ("listen.html", "text/html"),
    "listen.css": ("listen.css", "text/css"),
    "listen.js": ("listen.js", "text/javascript"),
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_BLOCK = 1 << 16
_POLICY = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class ListeningTest:
    """The state of a test: which ballots were handed out, and where votes go.

    Parameters
    ----------
    songs : sequence of Song
        Two or more, with audio.
    votes : Path
        File the votes are appended to.
    listener : str
    seed : int, optional
        For the order of pairs; random by default.
    """

    def __init__(self, songs: Sequence[Song], votes: Path, *, listener: str = "me", seed: int | None = None) -> None:
        self.token = secrets.token_urlsafe(24)
        self._songs = tuple(songs)
        self._listener = listener
        self._file = VoteFile(votes)
        self._order = random.Random(secrets.randbits(64) if seed is None else seed)
        self._lock = threading.Lock()
        self._handed: dict[str, Ballot] = {}
        self._last: Ballot | None = None
        self._open: Ballot | None = None
        self.gains = level_gains(self._songs)

    @property
    def total(self) -> int:
        """Pairs there are."""
        return len(self._songs) * (len(self._songs) - 1) // 2

    def done(self) -> int:
        """Pairs of this test that this listener has voted on."""
        return self.total - len(self._left(self._voted()))

    def _voted(self) -> set[str]:
        return {vote.ballot for vote in read_votes(self._file.path)}

    def _left(self, voted: set[str]) -> list[str]:
        names = (ballot_id(self._listener, a, b) for a, b in combinations(self._songs, 2))
        return [name for name in names if name not in voted]

    def ballot(self) -> dict[str, Any]:
        """Return the pair to be heard now; asked again before a vote (a page reloaded), the same one."""
        with self._lock:
            voted = self._voted()
            if self._open is None or self._open.id in voted:
                self._open = next_ballot(self._songs, self._listener, voted, self._order, self._last)
            done = self.total - len(self._left(voted))
            if self._open is None:
                return {"ballot": None, "done": done, "total": self.total}
            self._last = self._open
            self._handed[self._open.id] = self._open
            left, right = (self.gains[song.study, song.number] for song in (self._open.left, self._open.right))
            return {"ballot": self._open.id, "gain": [left, right], "done": done, "total": self.total}

    def audio(self, ballot: str, side: str) -> Path | None:
        """Return a song of a ballot that was handed out: its name says nothing of the song."""
        found = self._handed.get(ballot)
        return None if found is None else {"left": found.left, "right": found.right}[side].audio

    def vote(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a vote.

        Returns
        -------
        dict
            ``counted``: False if the ballot was voted on before.

        Raises
        ------
        UsageError
            If it is not a vote on a ballot that was handed out.
        """
        ballot = self._handed.get(str(document.get("ballot")))
        choice = document.get("choice")
        if ballot is None:
            raise UsageError("this ballot was not handed out; load the page again.")
        if choice not in CHOICES:
            raise UsageError(f"choice {choice!r} is not one of {', '.join(CHOICES)}.")
        heard = document.get("heard")
        numbers = heard if isinstance(heard, list) and len(heard) == 2 else [0.0, 0.0]
        if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
            raise UsageError("seconds heard are numbers.")
        counted = self._file.add(
            Vote(
                ballot=ballot.id,
                listener=self._listener,
                left=_side(ballot.left),
                right=_side(ballot.right),
                choice=str(choice),
                time=round(time.time(), 3),
                heard=(round(float(numbers[0]), 2), round(float(numbers[1]), 2)),
                gain_db=(self.gains[_key(ballot.left)], self.gains[_key(ballot.right)]),
            )
        )
        return {"counted": counted}


def _key(song: Song) -> tuple[str, int]:
    return (song.study, song.number)


def _side(song: Song) -> Side:
    return Side(song.study, song.number, song.sha256)


def level_gains(songs: Sequence[Song]) -> dict[tuple[str, int], float]:
    """Return the gain in dB, 0 or less, that brings each song to the loudness of the quietest one.

    Only turning down keeps every song free of clipping; a song of no measurable loudness is left as it is.
    """
    with ThreadPoolExecutor(4) as threads:
        levels = dict(zip(map(_key, songs), threads.map(_loudness, songs), strict=True))
    target = min((level for level in levels.values() if math.isfinite(level)), default=0.0)
    return {key: round(min(0.0, target - level), 2) if math.isfinite(level) else 0.0 for key, level in levels.items()}


def _loudness(song: Song) -> float:
    from optimizer.audio import loudness, read

    if song.audio is None:
        return -math.inf
    try:
        sound = read(song.audio)
        return loudness(sound.samples[:, :2], sound.rate)
    except BadAudio as error:
        raise UsageError(f"song {song.number} of {song.study!r} cannot be played: {error.message}") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    test: ListeningTest


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "optimize"
    sys_version = ""
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold the token."""

    def do_GET(self) -> None:
        """Answer a page, a ballot or a song."""
        path = self._inside()
        if path is None:
            return
        if path in _PAGES:
            name, kind = _PAGES[path]
            self._send(files("optimizer.listening").joinpath(name).read_bytes(), f"{kind}; charset=utf-8")
        elif path == "ballot":
            self._answer(self.server.test.ballot)
        elif (match := re.fullmatch(r"audio/([0-9a-f]{16})/(left|right)", path)) is not None:
            file = self.server.test.audio(match[1], match[2])
            if file is None:
                self._refuse(HTTPStatus.NOT_FOUND, "no such ballot")
            else:
                self._audio(file)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Take a vote."""
        path = self._inside()
        if path is None:
            return
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        origin = self.headers.get("Origin")
        if path != "vote":
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here")
        elif origin is not None and origin not in {f"http://{host}" for host in self._hosts()}:
            self._refuse(HTTPStatus.FORBIDDEN, "another page's request")
        elif kind != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a vote is application/json")
        elif not length.isdigit() or int(length) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a vote has at most {LARGEST} bytes")
        else:
            try:
                document = json.loads(self.rfile.read(int(length)))
            except ValueError:
                document = None
            if not isinstance(document, dict):
                self._refuse(HTTPStatus.BAD_REQUEST, "a vote is a JSON object")
                return
            self._answer(lambda: self.server.test.vote(document))

    def _hosts(self) -> set[str]:
        port = self.server.server_address[1]
        return {f"{HOST}:{port}", f"localhost:{port}"}

    def _inside(self) -> str | None:
        """Return the path behind the token, or refuse."""
        # Another site's name that is made to point here (DNS rebinding) shows in the Host field.
        if self.headers.get("Host", "") not in self._hosts():
            self._refuse(HTTPStatus.FORBIDDEN, "another host's name")
            return None
        token, slash, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        right = secrets.compare_digest(token.encode("utf-8", "replace"), self.server.test.token.encode())
        if not right or not slash:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here")
            return None
        return rest

    def _answer(self, call: Any) -> None:
        try:
            self._send(json.dumps(call()).encode(), "application/json")
        except UsageError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error.message)
        except OptimizeError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, error.message)

    def _audio(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND, "the song's file is gone")
            return
        with file:
            size = file.seek(0, 2)
            first, last, part = 0, size - 1, False
            asked = _RANGE.match(self.headers.get("Range", "").strip())
            if asked is not None and (asked[1] or asked[2]):
                part = True
                if asked[1]:
                    first, last = int(asked[1]), min(int(asked[2] or last), last)
                else:
                    first = max(0, size - int(asked[2]))
                if first > last:
                    self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                    self._common("audio/flac", 0)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.end_headers()
                    return
            self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
            self._common(_TYPES.get(path.suffix.lower(), "application/octet-stream"), last - first + 1)
            self.send_header("Accept-Ranges", "bytes")
            if part:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            if self.command == "HEAD":
                return
            file.seek(first)
            left = last - first + 1
            try:
                while left > 0 and (block := file.read(min(_BLOCK, left))):
                    self.wfile.write(block)
                    left -= len(block)
            except (BrokenPipeError, ConnectionResetError):
                # A browser that has heard enough.
                self.close_connection = True

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self._common(kind, len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        # What follows in the connection may be a body that was not read.
        self.close_connection = True
        self._send(json.dumps({"error": why}).encode(), "application/json", status)

    def _common(self, kind: str, length: int) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")


def serve(test: ListeningTest, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    """Bind the server; the caller runs ``serve_forever``.

    Parameters
    ----------
    test : ListeningTest
    port : int
        0 takes a free one.

    Returns
    -------
    server : ThreadingHTTPServer
    address : str
        With the token; whoever has it can vote.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    try:
        server = _Server((HOST, port), _Handler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} cannot be used: {error}.", next_step="Give another with --port.") from error
    server.test = test
    return server, f"http://{HOST}:{server.server_address[1]}/{test.token}/"

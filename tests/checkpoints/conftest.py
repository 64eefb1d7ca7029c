"""Model folders made by hand, and a stand-in for the Hub on the loopback interface, for the real client to talk to."""

from __future__ import annotations

import hashlib
import http.server
import json
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def safetensors(values: bytes = b"\0" * 64) -> bytes:
    """Return a file with one float tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}}).encode()
    return struct.pack("<Q", len(header)) + header + values


@pytest.fixture
def weights() -> Callable[..., bytes]:
    """Return `safetensors`."""
    return safetensors


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's caches out of it; returns the Hub's cache."""
    from huggingface_hub import constants

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "hub"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a whole model folder."""
    folder = tmp_path / "model"
    (folder / "vae").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "vae" / "weights.safetensors").write_bytes(safetensors())
    return folder


class StandInHub:
    """The parts of the Hub's API that a download uses, over files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.status = 200
        self.error = ""
        self.cut: int | None = None
        self.endpoint = ""

    def entry(self, name: str) -> dict[str, object]:
        """Describe a file as the API does; every one is stored in LFS here, so that it has a SHA-256."""
        data = self.files[name]
        digest = hashlib.sha256(self.files.get(f"true:{name}", data)).hexdigest()
        return {
            "type": "file",
            "path": name,
            "rfilename": name,
            "size": len(data),
            "oid": digest[:40],
            "blobId": digest[:40],
            "lfs": {"oid": digest, "sha256": digest, "size": len(data), "pointerSize": 120},
        }

    def names(self) -> list[str]:
        """Return the names of the files that are served."""
        return [name for name in self.files if not name.startswith("true:")]


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    """Serve a stand-in Hub; set ``hub.files``, or ``hub.status`` and ``hub.error`` for a refusal."""
    state = StandInHub()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def reply(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            state.asked.append(f"{self.command} {path}")
            if state.status != 200:
                self.reply(state.status, b"{}", X_Error_Code=state.error, X_Error_Message=state.error or "no")
            elif path.startswith("/api/models/owner/model/tree/"):
                self.reply(200, json.dumps([state.entry(name) for name in state.names()]).encode())
            elif path.startswith("/api/models/owner/model"):
                siblings = [state.entry(name) for name in state.names()]
                self.reply(200, json.dumps({"id": "owner/model", "sha": COMMIT, "siblings": siblings}).encode())
            elif path.startswith(f"/owner/model/resolve/{COMMIT}/"):
                self.file(path.removeprefix(f"/owner/model/resolve/{COMMIT}/"))
            else:
                self.reply(404, b"{}", X_Error_Code="RepoNotFound")

        def file(self, name: str) -> None:
            data = state.files[name]
            digest = hashlib.sha256(state.files.get(f"true:{name}", data)).hexdigest()
            headers = {"ETag": f'"{digest}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
            wanted = self.headers.get("Range")
            if wanted and self.command == "GET":
                state.ranges.append(f"{name} {wanted}")
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                self.reply(206, data[start:], **headers)
                return
            if self.command == "GET" and state.cut is not None and len(data) > state.cut:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: state.cut])
                self.close_connection = True
                return
            self.reply(200, data, **headers)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()

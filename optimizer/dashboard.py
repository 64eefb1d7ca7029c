"""Optuna's dashboard on a run: a copy of the study in memory, its songs linked as artifacts that cannot be deleted."""

from __future__ import annotations

import copy
import json
import re
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optimizer.errors import MissingPrerequisite, UsageError
from optimizer.runs import RunDirectory
from optimizer.study import open_storage, storage_errors

if TYPE_CHECKING:
    import optuna

HOST = "127.0.0.1"
REFRESH = 3.0
"""Seconds between looks at the run for new songs."""

_PREFIX = "artifacts:"
_ARTIFACT = re.compile(r"/artifacts/\d+/\d+/([0-9a-f-]{36})$")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_BLOCK = 1 << 16


class LinkedSongs:
    """An Optuna artifact store that opens the run's masters where they lie, and neither writes nor removes."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}

    def link(self, path: Path) -> str:
        """Give a file an artifact name."""
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, path.as_uri()))
        self._paths[name] = path
        return name

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a song."""
        from optuna.artifacts.exceptions import ArtifactNotFound

        try:
            return self._paths[artifact_id].open("rb")
        except (KeyError, OSError) as error:
            raise ArtifactNotFound(f"there is no song {artifact_id}") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse: the page shows a run and does not change it."""
        raise UsageError("this dashboard only shows the run; files cannot be added to it.")

    def remove(self, artifact_id: str) -> None:
        """Do nothing: the page may delete what it likes, the song stays and goes on playing."""


class Mirror:
    """A copy of a run's study in memory, brought up to date as songs are finished.

    The dashboard can delete studies and write notes without asking anybody; on a copy it does no harm.

    Parameters
    ----------
    run : RunDirectory
    storage : str, optional
        URL, where the study is not in the run's own file.

    Attributes
    ----------
    storage : optuna.storages.BaseStorage
    songs : LinkedSongs
    """

    def __init__(self, run: RunDirectory, storage: str | None = None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if storage is None and not run.database.is_file():
            raise UsageError(f"{run.name}: there are no songs yet.", next_step="Run some: optimize --genre NAME")
        self._run = run
        with storage_errors(run.database):
            try:
                self._source = optuna.load_study(study_name=run.name, storage=open_storage(run.database, storage))
            except KeyError as error:
                raise UsageError(f"{run.name}: its study is empty.") from error
        self.storage = optuna.storages.InMemoryStorage()
        self.songs = LinkedSongs()
        self._copy = optuna.create_study(study_name=run.name, storage=self.storage, direction="maximize")
        self._taken = 0
        self.refresh()

    def refresh(self) -> int:
        """Take over trials that were finished since, in their order; return how many."""
        with storage_errors(self._run.database):
            trials = self._source.get_trials(deepcopy=False)
        new = 0
        for trial in trials[self._taken :]:
            # Numbers are given in order, so one that is not finished yet holds up those behind it.
            if not trial.state.is_finished():
                break
            self._copy.add_trial(self._linked(trial))
            self._taken += 1
            new += 1
        return new

    def _master(self, trial: optuna.trial.FrozenTrial) -> Path | None:
        stored = trial.user_attrs.get("audio")
        try:
            path = self._run.inside(stored) if stored else None
        except UsageError:
            # A study from elsewhere that names a file outside its folder is shown without that song.
            return None
        return path if path is not None and path.is_file() else None

    def _linked(self, trial: optuna.trial.FrozenTrial) -> optuna.trial.FrozenTrial:
        linked = copy.deepcopy(trial)
        attributes: dict[str, Any] = {}
        path = self._master(trial)
        if path is not None:
            name = self.songs.link(path)
            kind = {".wav": "audio/wav", ".mp3": "audio/mpeg"}.get(path.suffix.lower(), "audio/flac")
            meta = {"artifact_id": name, "filename": path.name, "mimetype": kind, "encoding": None}
            attributes[f"{_PREFIX}{name}"] = json.dumps(meta)
        linked.system_attrs = attributes
        return linked


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


class Gate:
    """A WSGI application before the dashboard's own: refuses other hosts' names, and plays songs with seeking.

    The dashboard's own artifact route ignores Range requests, so that a player cannot seek.
    """

    def __init__(self, inner: Any, songs: LinkedSongs) -> None:
        self._inner = inner
        self._songs = songs
        self.hosts: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_HOST", "") not in self.hosts:
            start("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []
        match = _ARTIFACT.match(environ.get("PATH_INFO", ""))
        if match is not None and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._song(match[1], environ, start)
        answer: Iterable[bytes] = self._inner(environ, start)
        return answer

    def _song(self, name: str, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        from optuna.artifacts.exceptions import ArtifactNotFound

        try:
            file = self._songs.open_reader(name)
        except ArtifactNotFound:
            start("404 Not Found", [("Content-Length", "0")])
            return []
        size = file.seek(0, 2)
        first, last, status = 0, size - 1, "200 OK"
        headers = [("Content-Type", "audio/flac"), ("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff")]
        asked = _RANGE.match(environ.get("HTTP_RANGE", ""))
        if asked is not None and (asked[1] or asked[2]):
            if asked[1]:
                first, last = int(asked[1]), min(int(asked[2] or last), last)
            else:
                first = max(0, size - int(asked[2]))
            if first > last:
                file.close()
                start("416 Range Not Satisfiable", [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
                return []
            status = "206 Partial Content"
            headers.append(("Content-Range", f"bytes {first}-{last}/{size}"))
        headers.append(("Content-Length", str(last - first + 1)))
        start(status, headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        file.seek(first)
        return _blocks(file, last - first + 1)


def _blocks(file: BinaryIO, left: int) -> Iterator[bytes]:
    with file:
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


def serve(run: RunDirectory, *, storage: str | None = None, port: int = 0) -> tuple[WSGIServer, str]:
    """Bind the dashboard of a run; the caller runs ``serve_forever``.

    Returns
    -------
    server : WSGIServer
        On 127.0.0.1.
    address : str

    Raises
    ------
    MissingPrerequisite
        If optuna-dashboard is not installed.
    UsageError
        If the run has no trial, or the port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise MissingPrerequisite(
            "the dashboard needs the package optuna-dashboard.",
            next_step="Install it: pip install 'banger-optimizer[dashboard]'",
        ) from error
    mirror = Mirror(run, storage)
    gate = Gate(wsgi(mirror.storage, artifact_store=mirror.songs), mirror.songs)
    try:
        server = make_server(HOST, port, gate, server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} cannot be used: {error}.", next_step="Give another with --port.") from error
    bound = server.server_address[1]
    gate.hosts = {f"{HOST}:{bound}", f"localhost:{bound}"}
    threading.Thread(target=_follow, args=(mirror,), daemon=True).start()
    return server, f"http://{HOST}:{bound}/dashboard/studies/0"


def _follow(mirror: Mirror) -> None:
    wait = threading.Event()
    while not wait.wait(REFRESH):
        try:
            mirror.refresh()
        except KeyError:
            # The copy was deleted from the page: nothing is left to be shown.
            return
        except Exception:
            # A run that is being written may be locked for a moment; the next look will do.
            continue

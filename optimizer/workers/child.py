"""The program in the child: load one class, then answer one JSON request after the other on a private descriptor.

Run as ``python child.py REQUESTS REPLIES`` in whatever interpreter the class needs, so it stands alone: standard
library only, Python 3.9 or later. The first line is the boot line ``{"target": "module:Class", "config": {...},
"paths": [...]}``; a target may also name a file, ``"/path/worker.py:Class"``. It answers ``{"ready": true, "info": ...,
"supports": ...}``.

    {"id": 1, "call": "render", "args": {...}}      -> {"id": 1, "ok": true, "result": ...}
    {"cancel": 1}                                   -> the engine's ``cancel()``, if it has one
    progress, at any time                           -> {"id": 1, "step": 3, "steps": 8}

Standard output belongs to the libraries and is never read as an answer.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Callable  # noqa: UP035  (Python 3.9 interpreters run this file)


class Channel:
    """Lines out to the parent; several threads may write."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line."""
        data = json.dumps(message, default=_plain).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


class Unlisted(importlib.abc.MetaPathFinder):
    """Finds packages in folders that may not be listed.

    The sandbox opens of a folder on the search path only the packages in it, and Python's own finder gives up where
    it cannot list the folder itself.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Look for a top-level module by asking for its file."""
        if path is not None:
            return None
        for entry in map(Path, sys.path):
            package, module = entry / name / "__init__.py", entry / f"{name}.py"
            if package.is_file():
                places = [str(package.parent)]
                return importlib.util.spec_from_file_location(name, package, submodule_search_locations=places)
            if module.is_file():
                return importlib.util.spec_from_file_location(name, module)
        return None


def main(requests: int, replies: int) -> None:
    """Serve until the parent closes the requests."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".") != Path(__file__).parent]
    channel = Channel(replies)
    lines = os.fdopen(requests, "rb")
    boot = json.loads(lines.readline())
    sys.path.extend(path for path in boot.get("paths", []) if path not in sys.path)
    sys.meta_path.append(Unlisted())
    try:
        served = _construct(boot["target"])
    except BaseException as error:
        channel.send({"ready": False, "stage": "import", **_described(error)})
        raise
    current: list[Any] = [None]
    with contextlib.suppress(AttributeError):
        served.on_step = _progress(channel, current)
    try:
        info = served.load(boot.get("config", {}))
        supports = {name: str(value) for name, value in dict(getattr(served, "supports", {})).items()}
        channel.send({"ready": True, "info": info or {}, "supports": supports})
    except BaseException as error:
        channel.send({"ready": False, "stage": "load", **_described(error)})
        raise
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # Everything of the engine happens on the main thread (Metal insists); this one only listens.
    threading.Thread(target=_listen, args=(lines, inbox, served, current), daemon=True).start()
    while True:
        request = inbox.get()
        if request is None:
            break
        current[0] = request["id"]
        channel.send(_answer(served, request))
        current[0] = None


def _listen(lines: Any, inbox: Any, served: Any, current: list[Any]) -> None:
    for line in lines:
        request = json.loads(line)
        if "cancel" in request:
            cancel = getattr(served, "cancel", None)
            if cancel is not None and request["cancel"] == current[0]:
                cancel()
        else:
            inbox.put(request)
    # The parent closed its end: stop at once, whatever the engine is doing.
    os._exit(0)


def _answer(served: Any, request: dict[str, Any]) -> dict[str, Any]:
    name, arguments = request["call"], request.get("args", {})
    try:
        if name == "render":
            result = served.render(arguments["recipe"], Path(arguments["out"]))
        elif name == "check":
            check = getattr(served, "check", None)
            result = [] if check is None else check(arguments["recipes"])
        elif name == "score":
            paths, captions = [Path(path) for path in arguments["paths"]], arguments.get("captions")
            told = captions is not None and hasattr(served, "score_captioned")
            result = served.score_captioned(paths, captions) if told else served.score(paths)
        else:
            raise ValueError(f"there is no call {name!r}")
        return {"id": request["id"], "ok": True, "result": result}
    except BaseException as error:
        traceback.print_exc()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return {"id": request["id"], "ok": False, **_described(error)}


def _construct(target: str) -> Any:
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"{place} is not a Python file", name=place)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    return getattr(module, name)()


def _progress(channel: Channel, current: list[Any]) -> Callable[[int, int], None]:
    def on_step(step: int, steps: int) -> None:
        if current[0] is not None:
            channel.send({"id": current[0], "step": int(step), "steps": int(steps)})

    return on_step


def _described(error: BaseException) -> dict[str, Any]:
    return {
        "error": str(error) or type(error).__name__,
        "kind": type(error).__name__,
        "reason": getattr(error, "reason", None),
        "exit_code": getattr(error, "exit_code", None),
        "message": getattr(error, "message", None),
        "next_step": getattr(error, "next_step", None),
        "errno": getattr(error, "errno", None),
        "module": getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None,
    }


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does: numpy's scalars and arrays, paths, sets, mappings."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return dict(value) if hasattr(value, "keys") else str(value)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

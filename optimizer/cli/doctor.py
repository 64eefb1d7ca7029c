"""`optimize doctor`: what works on this machine, and the command that mends what does not."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, print_json
from optimizer.errors import MissingPrerequisite, OptimizeError

ENGINES = ("synth", "acestep", "acestep-native", "musicgen")
SCORERS = ("acoustic", "banger", "tunejury", "clap", "audiobox", "emotion")
ROOM = 2 << 30
"""Bytes; a song of 30 s takes about 8 MB, so this is room for a couple of hundred."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    area : {"system", "sandbox", "renderer", "scorer"}
    name : str
    works : bool
    detail : str
    mend : str or None
        What makes it work.
    needed : bool
        Whether nothing at all works without it.
    """

    area: str
    name: str
    works: bool
    detail: str
    mend: str | None = None
    needed: bool = False


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(runs_dir: RunsDir = RUNS_DIR, json_: Json = False) -> None:
    """Say what works on this machine, and the command that mends what does not."""
    findings = []
    for finding in examine(runs_dir):
        findings.append(finding)
        if not json_:
            mark = "ok  " if finding.works else "no  "
            print(f"{mark}{finding.area:<10}{finding.name:<18}{finding.detail}", flush=True)
            if finding.mend and not finding.works:
                print("\n".join(f"{'':<30}{line}" for line in finding.mend.splitlines()))
    if json_:
        print_json([asdict(finding) for finding in findings])
    broken = [finding for finding in findings if finding.needed and not finding.works]
    if broken:
        raise MissingPrerequisite(f"{broken[0].name} does not work: {broken[0].detail}", next_step=broken[0].mend)


def examine(runs_dir: Path) -> Iterator[Finding]:
    """Look at one thing after the other."""
    yield Finding("system", "python", sys.version_info >= (3, 11), platform.python_version(), needed=True)
    yield _disk("runs", _existing(runs_dir))
    yield _disk("scratch", Path(tempfile.gettempdir()))
    yield from _sandboxes()
    for name in ENGINES:
        yield _look("renderer", name, lambda name=name: _engine(name), needed=name == "synth")  # type: ignore[misc]
    for name in SCORERS:
        yield _look("scorer", name, lambda name=name: _scorer(name), needed=name == "acoustic")  # type: ignore[misc]


def _disk(name: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding(
        "system", f"disk for {name}", free >= ROOM, f"{free / 1e9:.1f} GB free at {folder}", "Free some space."
    )


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _sandboxes() -> Iterator[Finding]:
    from optimizer.sandbox import MODES
    from optimizer.workers.probe import probe

    for mode in MODES:
        if mode == "off":
            continue
        found = probe(mode)
        if found.problem is not None:
            yield Finding("sandbox", mode, False, found.problem, found.next_step, needed=mode == "auto")
            continue
        held = len(found.findings) - len(found.escapes)
        detail = f"{found.mechanism}: {held} of {len(found.findings)} attempts to break out contained"
        if found.escapes:
            detail += "; not contained: " + ", ".join(finding.attempt for finding in found.escapes)
        yield Finding("sandbox", mode, not found.escapes, detail, "See docs/sandbox.md.", needed=False)


def _look(area: str, name: str, describe: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(area, name, True, describe(), needed=needed)
    except OptimizeError as error:
        return Finding(area, name, False, error.message, error.next_step, needed)


def _engine(name: str) -> str:
    from optimizer.rendering.registry import RenderOptions, resolve

    spec = resolve(name, RenderOptions())
    return f"revision {spec.revision[:24]}, on {spec.device}"


def _scorer(name: str) -> str:
    from optimizer.scoring import prepare

    identity: dict[str, Any] = dict(prepare(name).identity)
    return ", ".join(f"{key} {str(value)[:24]}" for key, value in identity.items() if key in ("revision", "window"))

"""A user's own scorer, ``module:Class``: found and hashed on disk, never imported here."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from optimizer.errors import UsageError, did_you_mean
from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.device import pick_device


def describe_class(target: str, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe ``module:Class`` from its source, which is not run: it may only run in the confined child.

    Parameters
    ----------
    target : str
        ``"package.module:Class"``, found along ``sys.path`` (``PYTHONPATH`` included) and the working directory.
    options : mapping
        Handed to the class's ``load`` as they are.

    Raises
    ------
    UsageError
        If no such module is on the path, or its source defines no such name.
    """
    module, _, name = target.partition(":")
    file, entry = find_module(module)
    _require_name(file, name, target)
    # Its source is all there is to go by, for it is not run here.
    captioned = file.suffix == ".py" and "def score_captioned(" in file.read_text(encoding="utf-8", errors="replace")
    device = str(options.get("device", "cpu"))
    return ScorerSpec(
        text=target,
        identity={
            "name": target,
            "revision": source_hash(file, module),
            **({"prompt": "caption"} if captioned else {}),
        },
        target=target,
        config={key: str(value) if isinstance(value, os.PathLike) else value for key, value in options.items()},
        read_paths=(entry,),
        device=pick_device(device).partition(":")[0],
        captioned=captioned,
    )


def find_module(module: str) -> tuple[Path, Path]:
    """Locate a module without importing it or its parents.

    Returns
    -------
    file : Path
        The module's file; a package's ``__init__.py``.
    entry : Path
        The entry of the search path it was found under.

    Raises
    ------
    UsageError
        If no entry of the path holds it.
    """
    # importlib.util.find_spec would import the parent packages, and with them foreign code.
    places = [*(entry or str(Path.cwd()) for entry in sys.path), str(Path.cwd())]
    for place in places:
        search: list[str] | None = [place]
        found: Path | None = None
        prefix = ""
        for part in module.split("."):
            prefix = f"{prefix}.{part}" if prefix else part
            spec = PathFinder.find_spec(prefix, search) if search else None
            if spec is None:
                found = None
                break
            found = Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
            search = list(spec.submodule_search_locations or [])
        if found is not None:
            return found.resolve(), Path(place).resolve()
    raise UsageError(
        f"there is no module {module!r} on the Python path.",
        next_step="Put its folder in PYTHONPATH, as in: PYTHONPATH=/path/to/folder optimize ...",
    )


def source_hash(file: Path, module: str) -> str:
    """Hash a single-file module, or every source file of the package a module lies in: 64 hexadecimal digits."""
    depth = module.count(".") + (file.name == "__init__.py")
    if depth == 0:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    top = file.parents[depth - 1]
    digest = hashlib.sha256()
    for source in sorted(top.rglob("*.py")):
        digest.update(f"{source.relative_to(top).as_posix()}\0".encode())
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _require_name(file: Path, name: str, target: str) -> None:
    if file.suffix != ".py":
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if not re.search(rf"\b{re.escape(name)}\b", text):
        classes = re.findall(r"^class\s+(\w+)", text, re.MULTILINE)
        raise UsageError(f"scorer {target!r}: {file.name} defines no {name!r}.{did_you_mean(name, classes)}")

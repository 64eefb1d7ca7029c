"""A user's own class, ``module:Class``: found and hashed on disk, never imported in this process."""

from __future__ import annotations

import ast
import hashlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from optimizer.errors import UsageError, did_you_mean


def find_module(module: str) -> tuple[Path, Path]:
    """Locate a module without importing it or its parents.

    Looked for along ``sys.path`` (``PYTHONPATH`` included) and then in the working directory, which the installed
    command does not have on its path.

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
    places = [entry or str(Path.cwd()) for entry in sys.path] + [str(Path.cwd())]
    for place in dict.fromkeys(places):
        search: list[str] = [place]
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
        f"there is no module {module!r} on the Python path or in the working directory.",
        next_step="Put its folder in PYTHONPATH, as in: PYTHONPATH=/path/to/folder optimize ...",
    )


def source_place(module: str) -> Path:
    """Return what must be readable to import a module: its file, or the folder of its top package."""
    file, entry = find_module(module)
    return entry / module.partition(".")[0] if "." in module or file.name == "__init__.py" else file


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


def require_class(file: Path, name: str, target: str) -> None:
    """Look for the class in the source, so that a misspelt name is told before a child is started.

    Raises
    ------
    UsageError
        If the file is no Python, or nothing in it is bound to that name.
    """
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{target!r}: {file.name} is not valid Python: {error}.") from error
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    if name not in names and "*" not in names:
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        raise UsageError(f"{target!r}: {file.name} defines no {name!r}.{did_you_mean(name, classes)}")

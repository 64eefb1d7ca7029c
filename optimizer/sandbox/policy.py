"""What a child may do: the paths it reads, its one writable folder, its environment, devices and limits."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_READ = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/opt/rocm")
SYSTEM_DATA = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld-musl-x86_64.path",
    "/etc/alternatives",
    "/etc/localtime",
    "/proc",
    "/sys/devices/system",
)
SYSTEM_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

CREDENTIALS = (
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".netrc",
    ".docker",
    ".kube",
    ".config",
    ".git-credentials",
    ".pypirc",
    ".npmrc",
    ".password-store",
    ".mozilla",
    ".huggingface",
    ".cache/huggingface/token",
    ".cache/huggingface/stored_tokens",
)
"""Under the user's home; never readable, even where a folder above them is."""

_PASSED = re.compile(
    r"LANG|LC_[A-Z]+|TZ|LD_LIBRARY_PATH|NO_COLOR|"
    r"(OMP|MKL|OPENBLAS|KMP|GOMP|NUMEXPR|VECLIB|NUMBA|CUDA|CUBLAS|CUDNN|NVIDIA|HIP|HSA|ROCR|ROCM|TORCH|PYTORCH|"
    r"ACESTEP|MLX|METAL|MALLOC)_\w+"
)
_SECRET = re.compile(
    r"(^|_)(TOKENS?|KEYS?|AUTH|CREDENTIALS?|COOKIES?)(_|$)|SECRET|PASSWORD|PASSWD|APIKEY|^AWS_", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one child with all that it starts.

    Attributes
    ----------
    memory : int
        Bytes of resident memory.
    processes : int
        Processes and threads.
    file_size : int
        Bytes any one file may have.
    scratch : int
        Bytes the scratch folder may hold.
    open_files : int
        Per process.
    """

    memory: int = 4 << 30
    processes: int = 256 + 16 * (os.cpu_count() or 1)
    file_size: int = 1 << 30
    scratch: int = 4 << 30
    open_files: int = 4096


@dataclass(frozen=True, slots=True)
class Policy:
    """What one child may do. There is no field for the network: no child has any.

    Attributes
    ----------
    scratch : Path
        The one folder it may write to; its temporary folder and its home lie in it.
    read : tuple of Path
        What it may read and execute, besides the system's own programs and libraries.
    hidden : tuple of Path
        What stays unreadable although it lies beneath a path of `read`.
    device : str
        ``cpu``, ``cuda`` or ``mps``: the accelerator whose device nodes it may open.
    environment : mapping
        Variables beyond those that `environment` lets through.
    limits : Limits
    """

    scratch: Path
    read: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    device: str = "cpu"
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @property
    def temporary(self) -> Path:
        """The child's temporary folder."""
        return self.scratch / "tmp"

    @property
    def home(self) -> Path:
        """The child's home."""
        return self.scratch / "home"

    def read_paths(self) -> list[Path]:
        """Return what exists of the paths to read, each under its own name and where its links lead."""
        paths: dict[Path, None] = {}
        for path in [*map(Path, SYSTEM_READ), *self.read, *_library_paths()]:
            if path.exists():
                paths[path.absolute()] = None
                paths[path.resolve()] = None
        return list(paths)

    def data_paths(self) -> list[Path]:
        """Return what may be read but not executed."""
        extra = ("/sys",) if self.device == "cuda" else ()
        return [Path(name) for name in (*SYSTEM_DATA, *extra) if Path(name).exists()]

    def device_paths(self) -> list[Path]:
        """Return the device nodes, the accelerator's among them."""
        nodes = [Path(name) for name in SYSTEM_DEVICES]
        if self.device == "cuda":
            nodes += sorted(Path("/dev").glob("nvidia*"))
            nodes += [Path("/dev/dri"), Path("/dev/kfd"), Path("/dev/dxg")]
        return [node for node in nodes if node.exists()]

    def hidden_paths(self) -> list[Path]:
        """Return what stays unreadable: the named paths and the user's credentials."""
        home = Path.home()
        named = [*self.hidden, *(home / name for name in CREDENTIALS)]
        return list(dict.fromkeys(form for path in named for form in (path.absolute(), path.resolve())))

    def child_environment(self) -> dict[str, str]:
        """Return the child's whole environment."""
        passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
        passed |= {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "USER": "song",
            "LOGNAME": "song",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONFAULTHANDLER": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "PYTHONNOUSERSITE": "1",
            "PYTHONSAFEPATH": "1",
            "PYTHONUNBUFFERED": "1",
        }
        passed |= self.environment
        return {name: value for name, value in passed.items() if not _SECRET.search(name)}


def interpreter_paths(python: Path | None = None) -> tuple[Path, ...]:
    """Return the folders an interpreter needs: its environment, and the installation that it was made from.

    Parameters
    ----------
    python : Path, optional
        Its program; this process's own by default. It is not run.
    """
    program = Path(sys.executable) if python is None else python
    roots = [program.resolve().parents[1]]
    environment = program.absolute().parents[1]
    settings = environment / "pyvenv.cfg"
    if settings.is_file():
        roots.append(environment)
        for line in settings.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip():
                roots.append(Path(value.strip()).parent)
    if python is None:
        roots += [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)]
    return tuple(dict.fromkeys(root for root in roots if not _too_wide(root)))


def module_paths() -> tuple[Path, ...]:
    """Return what this process imports from outside its interpreter's folders.

    An entry of PYTHONPATH is given as a whole, since a user's engine may keep files beside its code; of any other
    entry only its modules and packages.
    """
    named = {Path(entry).absolute() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    roots = interpreter_paths()
    paths: list[Path] = [Path(__file__).resolve().parents[1]]
    for entry in sys.path:
        place = Path(entry or ".").absolute()
        if any(place.is_relative_to(root) for root in roots):
            continue
        if place in named and not _too_wide(place):
            paths.append(place)
        else:
            paths += importable(place)
    return tuple(dict.fromkeys(paths))


def importable(folder: Path) -> list[Path]:
    """Return the modules and packages directly in a folder."""
    if folder.is_file():
        return [folder]
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        child
        for child in children
        if child.suffix in (".py", ".so", ".pyc")
        or child.name.endswith(".dist-info")
        or (child.name.isidentifier() and (child / "__init__.py").is_file())
    ]


def _too_wide(path: Path) -> bool:
    return path == Path("/") or path == Path.home() or path in Path.home().parents


def _library_paths() -> list[Path]:
    entries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [Path(entry) for entry in entries if entry.startswith("/") and not _too_wide(Path(entry))]

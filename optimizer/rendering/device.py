"""Which device a model engine computes on: guessed in the parent without torch, settled in the child with it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optimizer.errors import MissingPrerequisite, UsageError, did_you_mean

DEVICES = ("auto", "cpu", "cuda", "mps")


def guess_device(asked: str) -> str:
    """Return ``cpu``, ``cuda`` or ``mps`` for what the user asked, by looking at the machine only.

    The sandbox must open the device's nodes before the child starts, and the parent never imports torch; so
    ``auto`` is a guess that `settle_device` may correct.

    Raises
    ------
    UsageError
        If there is no such word.
    """
    if asked not in DEVICES:
        raise UsageError(f"device {asked!r} must be one of {', '.join(DEVICES)}.{did_you_mean(asked, DEVICES)}")
    if asked != "auto":
        return asked
    # NVIDIA's driver, the one of WSL, and AMD's (which torch drives under the name cuda as well).
    if any(Path(node).exists() for node in ("/dev/nvidia0", "/dev/dxg", "/dev/kfd")):
        return "cuda"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def settle_device(asked: str, guessed: str) -> tuple[str, list[str]]:
    """Return the device that torch can really use, and warnings; called in the child.

    Raises
    ------
    MissingPrerequisite
        If a device was asked for by name and torch cannot use it.
    """
    import torch

    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    wanted = guessed if asked == "auto" else asked
    if usable[wanted]:
        return wanted, []
    if asked != "auto":
        raise MissingPrerequisite(
            f"torch {torch.__version__} cannot use the device {asked!r} here",
            next_step="Run: optimize doctor; or leave the device to the program with --device auto",
        )
    return "cpu", [f"{wanted} is on this machine, but torch {torch.__version__} cannot use it; rendering on the CPU"]


def missing_packages(*names: str) -> list[str]:
    """Return those of the packages that are not installed, without importing any."""
    return [name for name in names if find_spec(name) is None]


def require_packages(engine: str, *names: str) -> None:
    """Raise `MissingPrerequisite` naming the packages of an engine that are not installed."""
    missing = missing_packages(*names)
    if missing:
        raise MissingPrerequisite(
            f"the engine {engine} needs {', '.join(missing)}, not installed in {sys.executable}",
            next_step='Run: pip install "banger-optimizer[models]"',
        )


def model_environment() -> dict[str, str]:
    """Return the environment of a child that runs torch models: offline, and with a fixed number of threads.

    Sums of floats depend on how they are split among threads, so the number is part of what makes two runs equal.
    """
    return {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1),
        # cuBLAS sums in a fixed order only with a fixed workspace; read when CUDA starts.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # A few operators are not there on Metal yet; the CPU does them instead of the song failing.
        "PYTORCH_ENABLE_MPS_FALLBACK": "1",
    }


def require_version(package: str, least: tuple[int, ...], why: str) -> None:
    """Raise `MissingPrerequisite` if an installed package is older than `least`."""
    found = version(package)
    numbers = tuple(int(part) for part in found.split(".")[: len(least)] if part.isdigit())
    if numbers < least:
        wanted = ".".join(map(str, least))
        raise MissingPrerequisite(
            f"{package} {found} {why}; {wanted} or newer is needed",
            next_step=f'Run: pip install --upgrade "{package}>={wanted}"',
        )


def steady_torch() -> None:
    """Make torch repeat itself on one machine and device; called in the child before a model is loaded."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def memory_figures(device: str) -> dict[str, int]:
    """Return bytes in use: ``rss`` of this process; ``device`` and ``device_peak`` where the device keeps count."""
    import psutil
    import torch

    figures = {"rss": int(psutil.Process().memory_info().rss)}
    if device == "cuda":
        figures["device"] = int(torch.cuda.memory_allocated())
        figures["device_peak"] = int(torch.cuda.max_memory_allocated())
    elif device == "mps":
        figures["device"] = int(torch.mps.current_allocated_memory())
        figures["device_peak"] = int(torch.mps.driver_allocated_memory())
    return figures


class Growth:
    """Notices that the memory in use between songs keeps growing, on this process or on the device.

    The first song warms caches up, so growth is measured from what is in use after it.

    Parameters
    ----------
    share : float
        Growth that is borne, as a share of the first figure.
    slack : int
        Bytes of growth that are always borne.
    """

    def __init__(self, share: float = 0.25, slack: int = 1 << 30) -> None:
        self._share, self._slack = share, slack
        self._first: dict[str, int] = {}

    def reason(self, figures: dict[str, int]) -> str | None:
        """Return why the worker should be replaced before the next song, or None."""
        for name in ("rss", "device"):
            now = figures.get(name)
            if now is None:
                continue
            first = self._first.setdefault(name, now)
            if now - first > max(self._slack, self._share * first):
                return f"{name} memory grew from {first / 2**20:.0f} to {now / 2**20:.0f} MiB between songs"
        return None


def settle_memory() -> None:
    """Take what a loaded model consists of out of the collector's sight: it stays, and looking at it takes time."""
    import gc

    gc.collect()
    gc.freeze()


def release_memory(device: str) -> None:
    """Give cached blocks back between songs, so that growth is a leak and not a cache."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def missing_weights(module: Any, folder: Path) -> list[str]:
    """Return the names in a loaded torch module that no safetensors file of `folder` holds.

    The libraries only log such names and fill the layer at random; a song from a random layer is worth nothing.
    A parameter shared between two layers is stored once, and counts as there under both names.
    """
    import json
    import struct

    held: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            held |= set(json.loads(file.read(length)))
    state = module.state_dict(keep_vars=True)

    def there(name: str) -> bool:
        # A model with a head stores its body one level down, one without a head may be read from it; and back.
        _, _, body = name.partition(".")
        return name in held or f"model.{name}" in held or (name.startswith("model.") and body in held)

    stored = {tensor.data_ptr() for name, tensor in state.items() if there(name)}
    return [name for name, tensor in state.items() if not there(name) and tensor.data_ptr() not in stored]

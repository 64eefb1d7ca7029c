"""Where a listener computes: chosen without importing torch, because the parent must know before the child starts."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from optimizer.errors import UsageError, did_you_mean

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str) -> str:
    """Return ``cpu``, ``cuda`` or ``mps``.

    Parameters
    ----------
    name : str
        One of `DEVICES`, or ``cuda:1``. ``auto`` takes CUDA where the driver's device node and a CUDA build of
        torch are there, Metal on Apple silicon, else the CPU.

    Raises
    ------
    UsageError
        If there is no such device word.
    """
    kind, colon, index = name.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"scorer device {name!r} must be one of {', '.join(DEVICES)}.{did_you_mean(name, DEVICES)}")
    if name != "auto":
        return name
    try:
        build = version("torch")
    except PackageNotFoundError:
        return "cpu"
    if Path("/dev/nvidia0").exists() and not build.endswith("+cpu"):
        return "cuda"
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def set_threads(threads: int | None) -> int:
    """Limit torch's threads in this process, if a number is given; return how many it uses."""
    import torch

    if threads:
        torch.set_num_threads(int(threads))
    return int(torch.get_num_threads())

"""Render with a checkout of ACE-Step 1.5 in its own interpreter: with the model that plans, and with MLX on Macs.

Upstream pins versions of torch and transformers that this package cannot share, so the checkout's ``.venv`` runs
`acestep_worker`, a program of its own. This file is the parent's half: find the checkout, check it, say how to run it.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer import sandbox
from optimizer.checkpoints import files_of, verify, weights_hash
from optimizer.errors import CheckpointError, MissingPrerequisite, UsageError
from optimizer.rendering.base import EngineSpec, Support
from optimizer.rendering.device import guess_device, model_environment
from optimizer.rendering.profiles import PROFILES, Profile, profile_named
from optimizer.sandbox.policy import interpreter_paths

if TYPE_CHECKING:
    from optimizer.rendering.registry import RenderOptions

ENGINE = "acestep-native 1"
"""Our own version of what is asked of upstream; raise it when the same recipe gives another song."""

REPOSITORY = "https://github.com/ace-step/ACE-Step-1.5"
PYTHONS = ("3.11", "3.12")
REQUIRED = ("acestep-v15-turbo", "vae", "Qwen3-Embedding-0.6B", "acestep-5Hz-lm-1.7B")
"""Upstream starts a download unless all four are there, whichever of them are used."""

DEFAULT_DIT = "acestep-v15-turbo"
DEFAULT_PLANNER = "acestep-5Hz-lm-1.7B"
BACKENDS = {"cuda": "vllm", "mps": "mlx", "cpu": "pt"}
"""What runs the planner; upstream falls back to ``pt`` by itself and the worker reports what it got."""

SHORTEST = 5.12
"""Seconds: upstream makes nothing shorter than 128 latents; the worker cuts the rest off."""

SUPPORTS = {"duration": Support.PARTIAL}
SECONDS_OF_DEADLINE = {"cuda": 8.0, "mps": 40.0, "cpu": 240.0}
"""For a second of audio, planner included: a guard against hangs, far above any real need."""


def describe(options: RenderOptions) -> EngineSpec:
    """Find the checkout and its models and say how to run them; imports neither torch nor acestep.

    ``options.model`` is ``DIT`` or ``DIT+PLANNER``, names of folders under ``checkpoints/``; the planner ``none``
    leaves the language model out.

    Raises
    ------
    UsageError
        If no checkout was named, or the model's name has another form.
    MissingPrerequisite
        If the checkout or its interpreter is not there.
    CheckpointError
        If a model is absent or not whole.
    """
    checkout = find_checkout(options.acestep_dir)
    python = find_python(checkout)
    dit, planner = split_model(options.model)
    checkpoints = find_checkpoints(checkout, dit, planner)
    profile = profile_named(dit)
    if profile is None:
        raise UsageError(f"model {dit!r} must carry one of the words {', '.join(PROFILES)} in its name")
    device = guess_device(options.device)
    used = [dit, "vae", "Qwen3-Embedding-0.6B", *([planner] if planner else [])]
    size = sum(file.stat().st_size for name in used for file in files_of(checkpoints / name))
    worker = Path(__file__).with_name("acestep_worker.py")
    deadline = 180.0 + SECONDS_OF_DEADLINE[device] * max(options.duration, SHORTEST) * profile.passes / 8
    return EngineSpec(
        name="acestep-native",
        target=f"{worker}:Native",
        revision=revision_of(checkout, checkpoints, used, profile),
        config={
            "checkout": str(checkout),
            "checkpoints": str(checkpoints),
            "dit": dit,
            "planner": planner,
            "backend": BACKENDS[device],
            # Upstream's own "auto" is the same order of devices, and it reports what it took.
            "device": options.device,
            "profile": asdict(profile),
            "deadline": deadline,
        },
        # Inside bubblewrap our own interpreter confines the child before it becomes the checkout's.
        read_paths=(checkout, *link_targets(checkpoints), *interpreter_paths(), Path(sandbox.__file__).parents[1]),
        device=device,
        supports=SUPPORTS,
        python=python,
        environment=model_environment(),
        # On Metal, upstream keeps a torch copy in 32 bits next to MLX's own.
        memory_limit=(6 << 30) + int((1.5 if device == "cuda" else 4.0) * size),
        deadline=deadline,
        load_deadline=1800.0,
        copies=False,
        plans=planner is not None,
    )


def find_checkout(folder: str | None) -> Path:
    """Return the checkout's folder, or raise with the commands that make one."""
    mend = f"Run: git clone {REPOSITORY} && cd ACE-Step-1.5 && uv sync"
    if folder is None:
        raise UsageError(
            "the engine acestep-native needs a checkout of ACE-Step 1.5: --acestep-dir DIR", next_step=mend
        )
    checkout = Path(folder).expanduser().absolute()
    if not checkout.is_dir():
        raise MissingPrerequisite(f"--acestep-dir {folder!r} is not a folder", next_step=mend)
    if not (checkout / "acestep" / "inference.py").is_file():
        old = " (this is ACE-Step 1.0)" if (checkout / "acestep").is_dir() else ""
        raise MissingPrerequisite(
            f"--acestep-dir {folder!r} has no acestep/inference.py: it is no checkout of ACE-Step 1.5{old}",
            next_step=mend,
        )
    return checkout


def find_python(checkout: Path) -> Path:
    """Return the checkout's interpreter; its path is kept as it is, because a virtual environment lives by it."""
    python = checkout / ".venv" / "bin" / "python"
    mend = f"Run: cd {checkout} && uv sync"
    if not python.exists():
        raise MissingPrerequisite(f"{checkout} has no .venv/bin/python", next_step=mend)
    settings = _settings(checkout / ".venv" / "pyvenv.cfg")
    version = settings.get("version_info") or settings.get("version") or ""
    if version and ".".join(version.split(".")[:2]) not in PYTHONS:
        raise MissingPrerequisite(
            f"{python} is Python {version}, and ACE-Step 1.5 needs {' or '.join(PYTHONS)}",
            next_step=f"Run: cd {checkout} && uv sync --python 3.12",
        )
    return python


def split_model(model: str | None) -> tuple[str, str | None]:
    """Split ``DIT`` or ``DIT+PLANNER`` into the two folders' names; the second is None for ``none``."""
    dit, plus, planner = (model or DEFAULT_DIT).partition("+")
    names = (dit, planner) if plus else (dit,)
    if not all(name and name == Path(name).name for name in names):
        raise UsageError(
            f"model {model!r} must be a folder's name under checkpoints/, such as {DEFAULT_DIT}, "
            f"or two, such as {DEFAULT_DIT}+acestep-5Hz-lm-0.6B, or {DEFAULT_DIT}+none"
        )
    return dit, None if planner == "none" else planner or DEFAULT_PLANNER


def find_checkpoints(checkout: Path, dit: str, planner: str | None) -> Path:
    """Return the folder of the models, having checked every one that upstream will look for."""
    folder = Path(os.environ.get("ACESTEP_CHECKPOINTS_DIR") or checkout / "checkpoints").expanduser().absolute()
    for name in dict.fromkeys((*REQUIRED, dit, *([planner] if planner else []))):
        command = "uv run acestep-download" + ("" if name in REQUIRED else f" --model {name}")
        mend = f"Run: cd {checkout} && {command}"
        if not (folder / name).is_dir():
            raise CheckpointError(f"{folder} has no {name}", next_step=mend)
        problems = verify(folder / name, ("*.safetensors",))
        if problems:
            raise CheckpointError(f"{folder / name} is not complete: {'; '.join(problems[:3])}", next_step=mend)
    return folder


def revision_of(checkout: Path, checkpoints: Path, used: list[str], profile: Profile) -> str:
    """Name what a song depends on: our version, upstream's code as it lies there, the weights, the settings."""
    code = weights_hash(checkout / "acestep", ("*.py",))[:12]
    models = " ".join(f"{name}@{weights_hash(checkpoints / name)[:12]}" for name in used)
    return f"{ENGINE}, code {code}, {models}, {profile}"


def link_targets(folder: Path) -> tuple[Path, ...]:
    """Return the folders that the models really lie in, where ``checkpoints/`` only links to them."""
    return tuple(dict.fromkeys([folder.resolve(), *(file.resolve().parent for file in files_of(folder))]))


def _settings(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}

"""The words after ``--renderer``: registered engines through entry points, and a user's own ``module:Class``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from optimizer.errors import MissingPrerequisite, UsageError, did_you_mean
from optimizer.rendering.base import EngineSpec
from optimizer.workers import find_module, require_class, source_hash

GROUP = "optimizer.engines"
"""Entry point group; each entry names a function ``describe(options) -> EngineSpec`` that imports nothing heavy."""

BUILTIN: Mapping[str, str] = {
    "synth": "optimizer.rendering.synth:describe",
    "acestep": "optimizer.rendering.acestep:describe",
    "acestep-native": "optimizer.rendering.acestep_native:describe",
    "musicgen": "optimizer.rendering.musicgen:describe",
}
"""Our own engines; they are found even where the distribution's metadata is not installed."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What a user can say about any engine; each reads what concerns it.

    Attributes
    ----------
    model : str or None
        A local folder or a Hub id.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    duration : float
        Seconds of one song.
    acestep_dir : str or None
        The upstream checkout.
    extra : mapping
        Anything else, for engines of one's own.
    """

    model: str | None = None
    device: str = "auto"
    duration: float = 30.0
    acestep_dir: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def registered() -> dict[str, str]:
    """Return every registered name with the ``module:function`` that describes it."""
    # Ours win: a plug-in must not take over a name that runs were frozen with.
    return {entry.name: entry.value for entry in entry_points(group=GROUP)} | dict(BUILTIN)


def resolve(name: str, options: RenderOptions | None = None) -> EngineSpec:
    """Describe an engine without loading it.

    Parameters
    ----------
    name : str
        A registered name, or ``module:Class``, which is found and hashed on disk and never imported here.
    options : RenderOptions, optional

    Raises
    ------
    UsageError
        If there is no such engine, or an option is not legal for it.
    MissingPrerequisite
        If its packages or its model are not on this machine.
    """
    asked = options or RenderOptions()
    if ":" in name:
        return _own(name, asked)
    names = registered()
    if name not in names:
        raise UsageError(
            f"there is no renderer {name!r}.{did_you_mean(name, names)}",
            next_step=f"Known renderers: {', '.join(sorted(names))}; or MODULE:CLASS of your own.",
        )
    module, _, function = names[name].partition(":")
    try:
        describe: Callable[[RenderOptions], EngineSpec] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise MissingPrerequisite(
            f"renderer {name!r} is registered as {names[name]!r}, which cannot be imported: {error}.",
            next_step="Install what it needs, or remove the package that registers it.",
        ) from error
    spec = describe(asked)
    if name in BUILTIN:
        return spec
    # A plug-in may be installed in a way that leaves its code outside the interpreter's folders.
    package = importlib.import_module(module.partition(".")[0])
    places = [Path(place) for place in getattr(package, "__path__", [])] or [Path(str(package.__file__))]
    return replace(spec, read_paths=(*spec.read_paths, *places))


def _own(target: str, options: RenderOptions) -> EngineSpec:
    module, _, name = target.rpartition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise UsageError(f"renderer {target!r} is not usable: it must be MODULE:CLASS, as in mypackage.engine:Engine.")
    file, _ = find_module(module)
    require_class(file, name, target)
    return EngineSpec(
        name=target,
        target=target,
        revision=f"sha256:{source_hash(file, module)[:16]}",
        config={
            "model": options.model,
            "device": options.device,
            "duration": options.duration,
            "acestep_dir": options.acestep_dir,
            **options.extra,
        },
        read_paths=(Path(options.model).expanduser().absolute(),) if options.model else (),
        device="cpu" if options.device == "auto" else options.device,
    )

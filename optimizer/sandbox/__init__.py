"""Run a child that may touch only what its policy names: `select` a mechanism, describe a `Policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimizer.sandbox.mechanism import MODES, Mechanism, select
    from optimizer.sandbox.policy import Limits, Policy, importable, interpreter_paths, module_paths

__all__ = ["MODES", "Limits", "Mechanism", "Policy", "importable", "interpreter_paths", "module_paths", "select"]

_HOMES = {"MODES": "mechanism", "Mechanism": "mechanism", "select": "mechanism"}


def __getattr__(name: str) -> Any:
    # The launcher in every child imports this package, and shall not pay for what only the parent needs.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'policy')}"), name)

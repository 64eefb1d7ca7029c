"""Run a child that may touch only what its policy names: `select` a mechanism, describe a `Policy`."""

from __future__ import annotations

from optimizer.sandbox.mechanism import MODES, Mechanism, select
from optimizer.sandbox.policy import Limits, Policy, importable, interpreter_paths, module_paths

__all__ = ["MODES", "Limits", "Mechanism", "Policy", "importable", "interpreter_paths", "module_paths", "select"]

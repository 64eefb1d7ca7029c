"""The supervised child: a confined process that loads one class and answers questions about it."""

from __future__ import annotations

from optimizer.workers.launch import Launch, python_launch
from optimizer.workers.source import find_module, require_class, source_hash, source_place
from optimizer.workers.worker import Worker

__all__ = ["Launch", "Worker", "find_module", "python_launch", "require_class", "source_hash", "source_place"]

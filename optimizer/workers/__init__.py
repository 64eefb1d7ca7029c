"""The supervised child: a confined process that loads one class and answers questions about it."""

from __future__ import annotations

from optimizer.workers.launch import Launch, python_launch
from optimizer.workers.source import find_module, require_class, source_hash
from optimizer.workers.worker import Worker, clear_folder

__all__ = ["Launch", "Worker", "clear_folder", "find_module", "python_launch", "require_class", "source_hash"]

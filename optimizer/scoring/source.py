"""A user's own scorer, ``module:Class``: found and hashed on disk, never imported here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from optimizer.scoring.base import ScorerSpec
from optimizer.scoring.device import pick_device
from optimizer.workers.source import find_module, require_class, source_hash, source_place


def describe_class(target: str, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe ``module:Class`` from its source, which is not run: it may only run in the confined child.

    Parameters
    ----------
    target : str
        ``"package.module:Class"``, found along ``sys.path`` (``PYTHONPATH`` included) and the working directory.
    options : mapping
        Handed to the class's ``load`` as they are.

    Raises
    ------
    UsageError
        If no such module is on the path, or its source defines no such name.
    """
    module, _, name = target.partition(":")
    file, _ = find_module(module)
    require_class(file, name, target)
    # Its source is all there is to go by, for it is not run here.
    captioned = file.suffix == ".py" and "def score_captioned(" in file.read_text(encoding="utf-8", errors="replace")
    device = str(options.get("device", "cpu"))
    return ScorerSpec(
        text=target,
        identity={
            "name": target,
            "revision": source_hash(file, module),
            **({"prompt": "caption"} if captioned else {}),
        },
        target=target,
        read_paths=(source_place(module),),
        config={key: str(value) if isinstance(value, os.PathLike) else value for key, value in options.items()},
        device=pick_device(device).partition(":")[0],
        captioned=captioned,
    )

"""The tiny model that the tests use, for benchmarks of everything around a model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tiny_acestep(folder: Path) -> Path:
    """Build the random-weight pipeline of ``tests/rendering/tiny_models.py`` in `folder`."""
    program = ROOT / "tests" / "rendering" / "tiny_models.py"
    subprocess.run(
        [sys.executable, str(program), str(folder.parent), folder.name],
        check=True,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return folder

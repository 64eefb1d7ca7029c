"""Whether a model's packages are installed, asked without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from optimizer.errors import MissingPrerequisite

INSTALL = "Install them with: pip install 'banger-optimizer[models]'"


MODELS = ("torch", "transformers", "diffusers", "accelerate", "safetensors")
"""What the extra of `INSTALL` brings."""


def require_packages(*names: str, install: str = INSTALL, who: str = "this scorer") -> None:
    """Check that packages can be found, for `who` needs them.

    Raises
    ------
    MissingPrerequisite
        Naming those that are not installed, and how to install them.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingPrerequisite(f"{who} needs {' and '.join(missing)}, not installed here.", next_step=install)

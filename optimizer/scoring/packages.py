"""Whether a model's packages are installed, asked without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from optimizer.errors import MissingPrerequisite

INSTALL = "Install them with: pip install 'banger-optimizer[models]'"


def require_packages(*names: str, install: str = INSTALL) -> None:
    """Check that packages can be found.

    Raises
    ------
    MissingPrerequisite
        Naming those that are not installed, and how to install them.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingPrerequisite(f"this scorer needs {' and '.join(missing)}, not installed here.", next_step=install)

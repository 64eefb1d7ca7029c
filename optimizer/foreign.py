"""Keep a package that we never use, and that is often broken, from breaking the ones we do use."""

from __future__ import annotations

import sys


def hide_torchaudio() -> None:
    """Make torchaudio look not installed, unless it is loaded already.

    transformers imports it wherever it finds it, and its wheels are linked to one release of torch with CUDA: beside
    any other torch the import of every model fails. Audio is read with soundfile and soxr here.
    """
    sys.modules.setdefault("torchaudio", None)  # type: ignore[arg-type]

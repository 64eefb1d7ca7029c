"""How each kind of ACE-Step 1.5 checkpoint is to be sampled: one table for both engines, never a library's default.

The libraries' own defaults do not fit any checkpoint: diffusers asks for guidance 7.0 (turbo is distilled and takes
none), upstream's dataclass for shift 1.0 (turbo is trained with 3.0) and for wavelet correction (garbles base and sft).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optimizer.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Profile:
    """Sampling settings of one kind of checkpoint.

    Attributes
    ----------
    kind : str
    steps : int
        Denoising steps.
    shift : float
        Of the flow-matching schedule, ``t' = shift t / (1 + (shift - 1) t)``; 1.0 leaves it linear.
    guidance : float
        Classifier-free guidance; 1.0 is none.
    correction : bool
        Upstream's wavelet correction of the sampler (``dcw_enabled``).
    """

    kind: str
    steps: int
    shift: float
    guidance: float
    correction: bool

    @property
    def passes(self) -> int:
        """Evaluations of the network for one song: guidance evaluates each step twice."""
        return self.steps * (2 if self.guidance > 1.0 else 1)

    def __str__(self) -> str:
        return f"{self.kind}/{self.steps} steps/shift {self.shift:g}/guidance {self.guidance:g}"


PROFILES: dict[str, Profile] = {
    "turbo": Profile("turbo", steps=8, shift=3.0, guidance=1.0, correction=True),
    "base": Profile("base", steps=50, shift=1.0, guidance=7.0, correction=False),
    "sft": Profile("sft", steps=50, shift=1.0, guidance=7.0, correction=False),
}
"""By the word a checkpoint's configuration or name carries."""


def profile_named(name: str) -> Profile | None:
    """Return the profile whose word a model's name carries (``acestep-v15-xl-sft`` is ``sft``), or None."""
    words = name.lower().replace("_", "-").split("-")
    return next((profile for word, profile in PROFILES.items() if word in words), None)


def profile_of(folder: Path) -> Profile:
    """Read the profile of a checkpoint in diffusers layout from its transformer's configuration.

    Raises
    ------
    CheckpointError
        If the configuration names no kind that the table has.
    """
    config: dict[str, Any] = json.loads((folder / "transformer" / "config.json").read_text(encoding="utf-8"))
    version = str(config.get("model_version") or "")
    if config.get("is_turbo"):
        return PROFILES["turbo"]
    found = profile_named(version) or profile_named(folder.resolve().name)
    if found is None:
        raise CheckpointError(
            f"{folder / 'transformer' / 'config.json'} has model_version {version!r}, "
            f"which is none of {', '.join(PROFILES)}",
            next_step="Convert it again with diffusers' convert_ace_step_to_diffusers.py, which writes the kind.",
        )
    return found

"""The embedded renderer: a composer and a synthesizer that need no model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile

from optimizer.rendering.base import Support
from optimizer.rendering.synth.compose import compose
from optimizer.rendering.synth.master import master
from optimizer.rendering.synth.mix import mix
from optimizer.rendering.synth.supports import REVISION, SUPPORTS
from optimizer.rendering.synth.voices import RATE, NoteCache, Wave


class SynthEngine:
    """Renders recipes with numpy alone, in about a thirtieth of the song's length.

    The same recipe gives the same samples in every process; another kind of processor, or another numpy, may round
    the last bit otherwise.
    """

    supports: ClassVar[dict[str, Support]] = dict(SUPPORTS)

    def __init__(self) -> None:
        self._cache = NoteCache()

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Take the worker's options.

        Parameters
        ----------
        config : dict
            ``cache_mib`` (default 192): memory for notes that come back.
        """
        self._cache = NoteCache(int(config.get("cache_mib", 192)) << 20)
        return {"device": "cpu", "sample_rate": RATE, "revision": REVISION}

    def samples(self, recipe: dict[str, Any]) -> Wave:
        """Compose and play one recipe [shape=(2, frames), float32]."""
        sheet = compose(recipe)
        return master(mix(sheet, self._cache), sheet.style.drive)

    def render(self, recipe: dict[str, Any], out: Path) -> dict[str, Any]:
        """Write one song to `out` (24-bit; the format follows the suffix, WAV or FLAC)."""
        started = time.perf_counter()
        song = self.samples(recipe)
        played = time.perf_counter()
        soundfile.write(out, np.ascontiguousarray(song.T), RATE, subtype="PCM_24")
        return {
            "seed": int(recipe["seed"]),
            "sample_rate": RATE,
            "timings": {"render": played - started, "write": time.perf_counter() - played},
        }

"""The embedded engine: ten genres and anything near them, composed and synthesized without a model."""

from __future__ import annotations

from typing import Any

from optimizer.rendering.base import EngineSpec
from optimizer.rendering.synth.supports import REVISION, SUPPORTS


def describe(options: Any) -> EngineSpec:
    """Tell the parent how to run the engine; imports nothing heavy.

    Parameters
    ----------
    options : RenderOptions
        None of them concerns this engine.
    """
    return EngineSpec(
        name="synth",
        target="optimizer.rendering.synth.engine:SynthEngine",
        revision=REVISION,
        config={"cache_mib": 192},
        supports=SUPPORTS,
        # Arrays are small: threads of the linear algebra library would only cost start-up time.
        environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        memory_limit=3 << 30,
        deadline=300.0,
        load_deadline=60.0,
    )

"""The embedded scorer: a transparent score from 0 to 10 that needs no weights, a stand-in for the learned scorer.

It rewards what makes dance music: a clear pulse near 125 BPM, weight in the sub-bass, a loud and punchy mix,
brightness, many onsets, minor keys; these set the genres with high published scores apart from those with low ones. It
has never heard a listener's opinion, so its values say nothing about the learned scorer's, and runs scored by one are
never compared with runs scored by the other.

The formula
-----------
The first 30 s are mixed to mono at 22 050 Hz and brought to one level. Eight features `x` are measured
(`optimizer.scoring.features`); each becomes a part from 0 to 10 by a curve that only rises (or only falls)::

    part = 10 / (1 + exp(-(x - middle) / width))

and the value is the weighted mean of the parts. `CURVES` holds middle, width and weight of each; a negative width
falls. The constants were set by hand so that the embedded engine's songs come out at 1 to 6, mostly at 3 to 4, and its
genres roughly in the published order; ``benchmarks/acoustic.py`` measures both on songs they were not set on, and
``docs/acoustic-scorer.md`` explains every part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optimizer.errors import BadAudio, UsageError
from optimizer.scoring.base import ScorerSpec

if TYPE_CHECKING:
    from optimizer.scoring.features import Features

VERSION = "1"
"""Changes whenever any score changes: it is part of a run's identity."""

SECONDS = 30.0
"""How much of a song is heard, from its beginning, as with the learned scorer."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How one measurement becomes a part.

    Attributes
    ----------
    feature : str
        Attribute of `Features`.
    middle : float
        Where the part is 5, in the feature's unit.
    width : float
        How far from there it is 7.3 (2.7 on the other side); negative if more of the feature is worth less.
    weight : float
        Share in the value; all weights sum to 1.
    """

    feature: str
    middle: float
    width: float
    weight: float

    def part(self, features: Features) -> float:
        """Return the part, 0 to 10."""
        steps = (getattr(features, self.feature) - self.middle) / self.width
        return 10.0 / (1.0 + math.exp(-max(-50.0, min(50.0, steps))))


CURVES: Mapping[str, Curve] = {
    "pulse": Curve("pulse", 1.0, 0.3, 0.12),
    "tempo": Curve("tempo_strength", 0.9, 0.3, 0.17),
    "low_end": Curve("low_db", -4.0, 3.5, 0.14),
    "loudness": Curve("crest_db", 11.5, -2.0, 0.05),
    "punch": Curve("spread_db", 12.5, 2.5, 0.15),
    "brightness": Curve("high_db", -8.0, 5.0, 0.05),
    "density": Curve("density", 5.5, 0.9, 0.20),
    "mode": Curve("mode", 0.2, 0.15, 0.12),
}

# What the coordinates of the embedding are centred on and divided by: mean and deviation over songs of the embedded
# engine, rounded. They are part of the version: with others, old and new embeddings would not lie in one space.
_MFCC_MEANS = (
    (1.2, 0.5, 0.4, 0.3, 0.1, 0.1, 0.15, 0.1, 0.1, 0.13, 0.11, 0.1, 0.11, 0.11, 0.12, 0.12, 0.11, 0.1, 0.08),
    (0.27, 0.17, 0.15, 0.17, 0.19, 0.18, 0.18, 0.18, 0.17, 0.15, 0.14, 0.12, 0.1, 0.09, 0.09, 0.08, 0.08, 0.08, 0.07),
)
_MFCC_DEVIATIONS = (
    (0.4, 0.4, 0.35, 0.3, 0.27, 0.25, 0.23, 0.22, 0.22, 0.21, 0.21, 0.2, 0.2, 0.2, 0.19, 0.19, 0.19, 0.19, 0.18, 0.18),
    (0.08, 0.07, 0.04, 0.05, 0.05, *(0.04,) * 4, *(0.03,) * 5, 0.04, 0.04, *(0.05,) * 4),
)
_CHROMA = ((1 / 12,) * 12, (0.05,) * 12)
_PERIODICITY = ((0.0,) * 24, (0.25,) * 24)
_SCALARS = {
    "pulse": (0.8, 0.15),
    "tempo_strength": (0.6, 0.2),
    "low_db": (-6.0, 3.0),
    "high_db": (-11.0, 3.0),
    "crest_db": (12.5, 1.6),
    "spread_db": (10.5, 2.5),
    "density": (4.5, 1.1),
    "mode": (0.0, 0.25),
    "clarity": (0.88, 0.06),
}
_BLOCKS = (_MFCC_MEANS, _MFCC_DEVIATIONS, _CHROMA, _PERIODICITY, tuple(zip(*_SCALARS.values(), strict=True)))
_CENTRE, _SCALE = (np.concatenate([block[row] for block in _BLOCKS]) for row in (0, 1))
WIDTH = len(_CENTRE)
"""Length of the embedding."""


class AcousticScorer:
    """A `Scorer` of the formula above; the embedding is `embedding`'s."""

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Import what scoring needs, so that the first song is not slower than the others."""
        import scipy.fft
        import soundfile
        import soxr

        from optimizer.scoring import features

        libraries = {module.__name__.partition(".")[0]: module for module in (scipy, soundfile, soxr)}
        return {
            "device": "cpu",
            "version": VERSION,
            "sample_rate": features.RATE,
            **{name: module.__version__ for name, module in libraries.items()},
        }

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files, each by itself; see `optimizer.scoring.base.Scorer.score`."""
        return [self._judge(Path(path)) for path in paths]

    def _judge(self, path: Path) -> dict[str, Any]:
        from optimizer import audio
        from optimizer.scoring import features

        try:
            samples = audio.load_mono(path, features.RATE, SECONDS)
            audio.check_silence(audio.Sound(samples[:, None], features.RATE), str(path))
            measured = features.measure(samples)
        except BadAudio as error:
            return {"error": error.message}
        parts = {name: curve.part(measured) for name, curve in CURVES.items()}
        return {
            "value": sum(CURVES[name].weight * part for name, part in parts.items()),
            "parts": parts,
            "embedding": embedding(measured).tolist(),
        }


def embedding(features: Features) -> np.ndarray:
    """Place a song among others by timbre, rhythm and harmony.

    Parameters
    ----------
    features : Features

    Returns
    -------
    float32 array [shape=(84,)]
        In order: 19 MFCC means (that of the first is the level, which says nothing), 20 MFCC deviations, 12 chroma
        from C, 24 onset autocorrelations at `optimizer.scoring.features.TEMPI`, and the features pulse,
        tempo_strength, low_db, high_db, crest_db, spread_db, density, mode and clarity. Each is centred and scaled by
        a constant, so that songs of the embedded engine spread about 1 in every coordinate and the cosine of two
        songs tells alike from unlike.
    """
    scalars = [getattr(features, name) for name in _SCALARS]
    blocks = (features.mfcc_mean[1:], features.mfcc_std, features.chroma, features.periodicity, scalars)
    return np.asarray((np.concatenate(blocks) - _CENTRE) / _SCALE, dtype=np.float32)


def describe(argument: str | None, options: Mapping[str, Any]) -> ScorerSpec:
    """Describe the scorer for the parent; takes no argument and needs no option.

    Raises
    ------
    UsageError
        If an argument is given, or a window other than the first 30 s is asked for.
    """
    if argument is not None:
        raise UsageError(f"scorer 'acoustic' takes no argument, but {argument!r} was given: write --scorer acoustic.")
    window = options.get("window") or "first"
    if window != "first":
        raise UsageError(f"scorer 'acoustic' hears the first {SECONDS:g} s only: window {window!r} must be 'first'.")
    return ScorerSpec(
        text="acoustic",
        identity={"name": "acoustic", "revision": VERSION, "window": "first"},
        target="optimizer.scoring.acoustic:AcousticScorer",
        encoder=f"acoustic-{VERSION}",
        memory_limit=1 << 30,
    )

"""Several judges as one: each hears the song, the value is their weighted mean, every part is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optimizer.scoring.base import Scorer
from optimizer.scoring.ear import Ear, Embedding, Unheard
from optimizer.scoring.ears import open_ear
from optimizer.scoring.listener import Listener


class Panel:
    """A `Scorer` made of others.

    Judges that judge the same embedding (equal ``encoder`` in their spec) share one encoder, and it hears each
    song once; those that judge other layers or windows of the same model share the model. Where another judge gives
    the embedding beside its verdict (``acoustic``), it is taken from there.
    """

    def __init__(self) -> None:
        self._terms: list[tuple[str, float, str, Scorer]] = []
        self._lends: str | None = None

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load every judge.

        Parameters
        ----------
        config : dict
            ``terms``: list of ``{"name", "weight", "target", "config", "encoder"}``; ``lends``: name of the one
            whose embedding is the panel's.

        Returns
        -------
        dict
            What each judge returned, by name.
        """
        from optimizer.scoring.spec import construct

        self._terms = []
        ears: dict[str, Ear] = {}
        info: dict[str, Any] = {}
        for term in config["terms"]:
            scorer = construct(term["target"])
            if isinstance(scorer, Listener):
                known = ears.get(term["encoder"])
                ear = known or open_ear(term["config"]["ear"], ears.values())
                info[term["name"]] = scorer.load(dict(term["config"]), ear)
                if known is None:
                    info[term["name"]] |= ear.open()
                    ears[term["encoder"]] = ear
            else:
                info[term["name"]] = scorer.load(dict(term["config"]))
            self._terms.append((term["name"], float(term["weight"]), term["encoder"], scorer))
        self._lends = config.get("lends")
        return info

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; see `combine` for what comes out. One judge's error is the file's error."""
        return self.score_captioned(paths, [None] * len(paths))

    def score_captioned(self, paths: Sequence[Path], captions: Sequence[str | None]) -> list[dict[str, Any]]:
        """Judge audio files, telling the judges that ask for it what each was meant to be."""
        heard: dict[str, list[Embedding]] = {}
        columns: dict[str, list[dict[str, Any]]] = {}
        # Listeners last: what they would hear may be there by then.
        for name, _, encoder, scorer in sorted(self._terms, key=lambda term: isinstance(term[3], Listener)):
            if isinstance(scorer, Listener):
                if encoder not in heard:
                    heard[encoder] = scorer.listen(paths)
                columns[name] = scorer.judge(heard[encoder])
                continue
            if hasattr(scorer, "score_captioned"):
                columns[name] = scorer.score_captioned(paths, captions)
            else:
                columns[name] = scorer.score(paths)
            lent = [_lent(result) for result in columns[name]] if encoder else []
            if lent and all(one is not None for one in lent):
                heard.setdefault(encoder, [one for one in lent if one is not None])
        own = next((encoder for name, _, encoder, _ in self._terms if name == self._lends), "")
        combined = []
        for row in range(len(paths)):
            result = combine([(name, weight, columns[name][row]) for name, weight, _, _ in self._terms])
            if self._lends is not None and "error" not in result:
                result["embedding"] = columns[self._lends][row].get("embedding")
                others = {
                    encoder: [float(number) for number in np.atleast_2d(one)[0]]
                    for encoder, rows in heard.items()
                    if encoder != own and isinstance(one := rows[row], np.ndarray)
                }
                if others:
                    result["embeddings"] = others
            combined.append(result)
        return combined


def _lent(result: Mapping[str, Any]) -> Embedding | None:
    """Return the embedding in a judge's result, or its error; None where there is neither."""
    if "error" in result:
        return Unheard(str(result["error"]))
    embedding = result.get("embedding")
    return None if embedding is None else np.asarray(embedding, dtype=np.float32)


def combine(verdicts: Sequence[tuple[str, float, Mapping[str, Any]]]) -> dict[str, Any]:
    """Make one verdict of several.

    Parameters
    ----------
    verdicts : sequence of (name, weight, result)
        Each judge's result for one file, in the form of `Scorer.score`.

    Returns
    -------
    dict
        ``value``: mean weighted by ``weight``; ``parts``: see `named_parts`; ``embedding`` and ``curve`` of the
        first judge that gives one. Or ``error`` with the names of the judges that failed.
    """
    errors = [f"{name}: {result['error']}" for name, _, result in verdicts if result.get("error")]
    if errors:
        # Judges that decode alike fail alike; one reason is enough then.
        reasons = {error.partition(": ")[2] for error in errors}
        return {"error": reasons.pop() if len(reasons) == 1 else "; ".join(errors)}
    total = sum(weight for _, weight, _ in verdicts)
    combined: dict[str, Any] = {
        "value": sum(weight * float(result["value"]) for _, weight, result in verdicts) / total,
        "parts": {},
    }
    for name, _, result in verdicts:
        combined["parts"].update(named_parts(name, result))
        for extra in ("embedding", "curve"):
            if extra not in combined and result.get(extra) is not None:
                combined[extra] = result[extra]
    return combined


def named_parts(name: str, result: Mapping[str, Any]) -> dict[str, float]:
    """Return a judge's value under its name, and its own parts under ``name.part``."""
    parts = {name: float(result["value"])}
    for part, value in (result.get("parts") or {}).items():
        if part != name:
            parts[f"{name}.{part}"] = float(value)
    return parts

"""Several judges as one: each hears the song, the value is their weighted mean, every part is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optimizer.scoring.base import Scorer
from optimizer.scoring.ear import Ear, Embedding
from optimizer.scoring.listener import Listener


class Panel:
    """A `Scorer` made of others.

    Judges that judge the same embedding (equal ``encoder`` in their spec) share one encoder, and it hears each
    song once.
    """

    def __init__(self) -> None:
        self._terms: list[tuple[str, float, str, Scorer]] = []
        self._lends: int | None = None

    def load(self, config: dict[str, Any]) -> dict[str, Any]:
        """Load every judge.

        Parameters
        ----------
        config : dict
            ``terms``: list of ``{"name", "weight", "target", "config", "encoder"}``.

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
                info[term["name"]] = scorer.load(dict(term["config"]), ears.get(term["encoder"]))
                ears[term["encoder"]] = scorer.ear
            else:
                info[term["name"]] = scorer.load(dict(term["config"]))
            self._terms.append((term["name"], float(term["weight"]), term["encoder"], scorer))
        # As in the spec's `encoder`: an embedding that other heads can judge comes before one that only describes.
        self._lends = next((row for row, term in enumerate(self._terms) if isinstance(term[3], Listener)), None)
        return info

    def score(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Judge audio files; see `combine` for what comes out. One judge's error is the file's error."""
        return self.score_captioned(paths, [None] * len(paths))

    def score_captioned(self, paths: Sequence[Path], captions: Sequence[str | None]) -> list[dict[str, Any]]:
        """Judge audio files, telling the judges that ask for it what each was meant to be."""
        heard: dict[str, list[Embedding]] = {}
        columns: list[tuple[str, float, list[dict[str, Any]]]] = []
        for name, weight, encoder, scorer in self._terms:
            if isinstance(scorer, Listener):
                if encoder not in heard:
                    heard[encoder] = scorer.listen(paths)
                results = scorer.judge(heard[encoder])
            elif hasattr(scorer, "score_captioned"):
                results = scorer.score_captioned(paths, captions)
            else:
                results = scorer.score(paths)
            columns.append((name, weight, results))
        combined = []
        for row in range(len(paths)):
            result = combine([(name, weight, results[row]) for name, weight, results in columns])
            if self._lends is not None and "error" not in result:
                result["embedding"] = columns[self._lends][2][row].get("embedding")
            combined.append(result)
        return combined


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

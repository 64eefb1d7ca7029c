"""Hold a study's promise against fresh takes: render its top recipes again with seeds nobody chose."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optimizer.errors import AttemptFailed, Interrupted
from optimizer.recipe import Recipe
from optimizer.runs import write_atomic
from optimizer.samplers import derive_seed
from optimizer.session import Session
from optimizer.song import Song


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one recipe's promise held.

    Attributes
    ----------
    song : Song
        The best song of the recipe.
    promised : float or None
        Score that was expected of a new take.
    takes : tuple of float
        What fresh takes scored.
    failures : tuple of str
        Why further takes could not be rendered or judged.
    """

    song: Song
    promised: float | None
    takes: tuple[float, ...]
    failures: tuple[str, ...] = ()

    @property
    def mean(self) -> float | None:
        """Mean of the takes."""
        return statistics.fmean(self.takes) if self.takes else None

    @property
    def half_width(self) -> float | None:
        """Half of Student's 90 % interval of the mean; None with fewer than two takes."""
        from scipy.special import stdtrit

        count = len(self.takes)
        if count < 2:
            return None
        return float(stdtrit(count - 1, 0.95)) * statistics.stdev(self.takes) / math.sqrt(count)


def top_recipes(songs: Sequence[Song], top: int) -> list[Song]:
    """Return the best song of each of the recipes that are expected to do best."""
    best: dict[tuple[Any, ...], Song] = {}
    for song in sorted(songs, key=lambda song: (-song.value, song.number)):
        best.setdefault(song.recipe.combo, song)
    worth = {combo: song.value if song.expected is None else song.expected for combo, song in best.items()}
    ranked = sorted(best, key=lambda combo: (-worth[combo], best[combo].number))
    return [best[combo] for combo in ranked[:top]]


def fresh_take(song: Song, take: int, seed: int) -> Recipe:
    """Return a recipe's take with a seed that no trial of the study had."""
    return replace(song.recipe, seed=derive_seed(seed, "verify", *song.recipe.combo, take))


def verify(
    session: Session,
    songs: Sequence[Song],
    *,
    top: int,
    takes: int,
    on_take: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Verdict]:
    """Render and judge fresh takes of the top recipes.

    Each take is kept in the run's folder ``verify`` as soon as it is judged, and is not rendered again.

    Parameters
    ----------
    session : Session
    songs : sequence of Song
        All songs of the study.
    top, takes : int
    on_take : callable, optional
        Called with (done, total).
    stop : callable, optional
        Asked before each take whether it shall not begin.

    Raises
    ------
    Interrupted
        When `stop` says so.
    """
    chosen = top_recipes(songs, top)
    folder = session.run.folder / "verify"
    folder.mkdir(exist_ok=True)
    verdicts: list[Verdict] = []
    done = 0
    with session.renderers(1) as (renderer,), session.listener() as scorer:
        for song in chosen:
            scores: list[float] = []
            failures: list[str] = []
            for take in range(takes):
                if stop():
                    raise Interrupted(f"after {done} of {len(chosen) * takes} takes; those that were judged are kept.")
                recipe = fresh_take(song, take, session.options.seed or 0)
                kept = folder / f"{recipe.digest[:16]}.json"
                value = _known(kept, session)
                if value is None:
                    try:
                        clip = renderer.render(recipe, kept.with_suffix(".flac"))
                        score = scorer.score([clip.path])[0]
                        if isinstance(score, AttemptFailed):
                            raise score
                    except AttemptFailed as error:
                        failures.append(error.message)
                    else:
                        value = score.value
                        document = {
                            "number": song.number,
                            "recipe": recipe.to_dict(),
                            "score": value,
                            "parts": dict(score.parts),
                            "scorer": dict(session.scorer.identity),
                        }
                        write_atomic(kept, json.dumps(document, ensure_ascii=False, default=str).encode())
                if value is not None:
                    scores.append(value)
                done += 1
                if on_take is not None:
                    on_take(done, len(chosen) * takes)
            verdicts.append(Verdict(song, song.expected, tuple(scores), tuple(failures)))
    return verdicts


def _known(path: Path, session: Session) -> float | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        same = document["scorer"] == json.loads(json.dumps(dict(session.scorer.identity), default=str))
        return float(document["score"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

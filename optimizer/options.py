"""What a user can ask of a run: the options' names, legal values and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optimizer.errors import UsageError, did_you_mean
from optimizer.recipe import DURATION_RANGE, SEED_RANGE

DEFAULT_TRIALS = 30
SAMPLERS = ("topk", "tpe", "gp", "random", "nsga2")
GOALS = ("best", "average")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user can ask of a run; None is "not said", which on resume means the run's own value.

    The names are those of the command line, which documents them.
    """

    genre: str | None = None
    space: Path | None = None
    study: str | None = None
    runs_dir: Path = Path("runs")
    storage: str | None = None
    trials: int | None = None
    more: int | None = None
    renderer: str | None = None
    model: str | None = None
    acestep_dir: str | None = None
    duration: float | None = None
    workers: int | None = None
    device: str | None = None
    scorer: str | None = None
    encoder: str | None = None
    head: str | None = None
    window: str | None = None
    scorer_device: str | None = None
    scorer_dtype: str | None = None
    sampler: str | None = None
    explore: int | None = None
    goal: str | None = None
    per_genre: bool | None = None
    seed: int | None = None
    prior: tuple[str, ...] = ()
    budget_minutes: float | None = None
    until_gain: float | None = None
    replay_plans: str | None = None
    sandbox: str = "auto"
    recycle: int | None = None
    fresh_process: bool = False


FROZEN = (
    "renderer", "model", "acestep_dir", "duration", "workers", "device", "scorer", "encoder", "head", "window",
    "scorer_device", "scorer_dtype", "sampler", "explore", "goal", "per_genre", "seed", "storage", "replay_plans",
)  # fmt: skip
"""Options whose values a run keeps for the next time."""

DEFAULTS: dict[str, Any] = {
    "duration": 30.0,
    "workers": 1,
    "sampler": "topk",
    "goal": "best",
    "per_genre": False,
    "seed": 0,
    "replay_plans": "auto",
}


def settle(options: Options, frozen: Mapping[str, Any]) -> Options:
    """Fill in what was not said: from the run, then from the defaults."""
    values = asdict(options)
    for name in FROZEN:
        if values[name] is None:
            values[name] = frozen.get(name, DEFAULTS.get(name))
    values["space"] = options.space
    return Options(**values)


def check(options: Options) -> None:
    """Refuse values that no run can have."""
    for name in ("trials", "more", "workers", "recycle"):
        _at_least(f"--{name}", getattr(options, name), 1)
    _at_least("--explore", options.explore, 0)
    if options.trials is not None and options.more is not None:
        raise UsageError(
            "--trials and --more cannot be given together.",
            next_step="--trials is the total, --more adds to what is there.",
        )
    for name, value in (("--budget-minutes", options.budget_minutes), ("--until-gain", options.until_gain)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} {value} is not usable: it must be a number above 0.")
    low, high = DURATION_RANGE
    if options.duration is not None and not low <= options.duration <= high:
        raise UsageError(f"--duration {options.duration:g} is not usable: it must be {low:g} to {high:g} seconds.")
    low, high = SEED_RANGE
    if options.seed is not None and not low <= options.seed <= high:
        raise UsageError(f"--seed {options.seed} is not usable: it must be {low} to {high}.")
    if options.sampler is not None and ":" not in options.sampler:
        _one_of("--sampler", options.sampler, SAMPLERS, " or package.module:Class")
    _one_of("--goal", options.goal, GOALS)
    _one_of("--replay-plans", options.replay_plans, ("auto", "off"))


def without_effect(options: Options, *, several: bool, resumed: bool) -> list[str]:
    """Return what to say of settled options that nothing will look at.

    Parameters
    ----------
    options : Options
    several : bool
        Whether the search space has more than one genre.
    resumed : bool
        Whether the run was begun with these options already.

    Raises
    ------
    UsageError
        If the sampler of a new run does not look at one.
    """
    asked = {"--per-genre": bool(options.per_genre), "--goal average": options.goal == "average"}
    notes = []
    for option in (option for option, said in asked.items() if said):
        if options.sampler == "topk":
            if not several:
                notes.append(f"{option} makes no difference: this search has one genre alone.")
        elif resumed:
            notes.append(f"{option} has no effect: sampler {options.sampler} does not look at it, only topk does.")
        else:
            raise UsageError(
                f"{option} and --sampler {options.sampler} cannot be given together: only topk looks at {option}.",
                next_step="Leave one of them out.",
            )
    return notes


def _at_least(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise UsageError(f"{name} {value} is not usable: it must be a whole number of {least} or more.")


def _one_of(name: str, value: str | None, legal: Sequence[str], more: str = "") -> None:
    if value is not None and value not in legal:
        raise UsageError(f"{name} {value!r} is not one of {', '.join(legal)}{more}.{did_you_mean(value, legal)}")

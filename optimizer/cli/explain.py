"""`optimize explain STUDY`: what the songs so far say, and what more of them would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Study, print_json, print_table, run_of
from optimizer.cli.show import record_of

if TYPE_CHECKING:
    from optimizer.samplers.posterior import Estimate


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("explain")(explain)


def explain(
    study: Study,
    more: Annotated[int, typer.Option(help="Songs whose expected gain is worked out.", min=1, metavar="N")] = 30,
    top: Annotated[int, typer.Option(help="Best songs whose mean counts.", min=1, metavar="N")] = 5,
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Explain a study: effects with 90 % intervals, the share of luck, and what more songs are expected to gain."""
    from optimizer.errors import UsageError
    from optimizer.estimates import posterior_of, read_space
    from optimizer.prior import read_prior

    run = run_of(study, runs_dir)
    record = record_of(study, runs_dir)
    if len(record.songs) < 2:
        raise UsageError(
            f"study {record.name!r} has {len(record.songs)} songs; there is nothing to explain before 2.",
            next_step=f"optimize --study {run.folder.name} --more 10",
        )
    prior = read_prior(run)
    posterior = posterior_of(record.songs, read_space(run), prior)
    favourite, effects = posterior.favourite(), posterior.effects()
    gain = posterior.expected_gain(more, top)
    document: dict[str, Any] = {
        "study": record.name,
        "songs": len(record.songs),
        "prior_songs": len(prior.observations),
        "effects": [
            {
                "genre": effect.genre,
                "parameter": effect.parameter,
                "value": effect.value,
                "songs": effect.songs,
                **_interval(effect.estimate),
            }
            for effect in effects
        ],
        "noise_share": _interval(posterior.noise_share()),
        "noise_sd": {genre or "all": sd for genre, sd in posterior.noise().items()},
        "favourite": {
            "params": favourite.params,
            "songs": favourite.songs,
            "probability_best": favourite.probability,
            **_interval(favourite.expected),
        },
        "expected_gain": {"songs": more, "top": top, "points": gain},
    }
    if json_:
        print_json(document)
        return
    several = len({effect.genre for effect in effects}) > 1
    rows = [
        [
            *([effect.genre] if several else []),
            effect.parameter,
            effect.value,
            effect.songs,
            f"{effect.estimate.mean:+.2f}",
            f"{effect.estimate.low:+.2f} to {effect.estimate.high:+.2f}",
        ]
        for effect in sorted(effects, key=lambda one: (str(one.genre), one.parameter, -one.estimate.mean))
    ]
    head = [*(["genre"] if several else []), "parameter", "value", "songs", "effect", "90 % interval"]
    print_table(head, rows, right=tuple(index + several for index in (2, 3)))
    share = posterior.noise_share()
    if prior.observations:
        print(f"\n{len(prior.observations)} of the songs are those the search began with (--prior).")
    print(f"\nLuck of the draw: {share.mean:.0%} of the variance between songs ({share.low:.0%} to {share.high:.0%}).")
    words = ", ".join(f"{name} {value}" for name, value in favourite.params.items())
    songs = f"{favourite.songs} song{'s' if favourite.songs != 1 else ''}"
    print(
        f"The recipe expected to do best: {words}.\n  A new take of it scores {favourite.expected.mean:.2f} on average "
        f"({favourite.expected.low:.2f} to {favourite.expected.high:.2f}); it has {songs}, and is the "
        f"best one with probability {_percent(favourite.probability)}."
    )
    print(f"Another {more} songs are expected to lift the mean of the best {top} by {gain:.2f}.")


def _percent(probability: float) -> str:
    # A thousand draws that never met it do not make it impossible.
    return "under 1 %" if probability < 0.01 else f"{probability:.0%}"


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}

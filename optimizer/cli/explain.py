"""`optimize explain STUDY`: what the songs so far say, and what more of them would bring."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Study, elsewhere, more_songs, print_json, print_table, run_of
from optimizer.cli.show import record_of

if TYPE_CHECKING:
    from optimizer.samplers.posterior import Estimate


MOST = 1_000
"""Songs ahead whose gain is worked out: six seconds of imagining, and more than anybody waits for."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("explain")(explain)


def explain(
    study: Study,
    more: Annotated[
        int, typer.Option(help="Songs whose expected gain is worked out.", min=1, max=MOST, metavar="N")
    ] = 30,
    top: Annotated[
        int, typer.Option(help="Best songs whose mean counts; all where there are fewer.", min=1, metavar="N")
    ] = 5,
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
            next_step=f"Make some: {more_songs(run.folder)}",
        )
    prior = read_prior(run)
    top = min(top, len(record.songs))
    document: dict[str, Any] = {
        "study": record.name,
        "songs": len(record.songs),
        "prior_songs": len(prior.observations),
        "effects": [],
        "noise_share": None,
        "noise_share_overall": None,
        "noise_sd": {},
        "favourite": None,
        "expected_gain": {"songs": more, "top": top, "points": None},
    }
    values = [song.value for song in record.songs] + [one.value for one in prior.observations]
    if max(values) == min(values):
        # The model would answer with what it believed before the first song, which looks like a finding.
        if json_:
            print_json(document)
            return
        print(
            f"All {len(values)} songs score {values[0]:.2f}: nothing can be told of effects, luck or what more songs "
            "would gain.\nA scorer that tells songs apart can judge them again: "
            f"{shlex.join(['optimize', 'rescore', run.folder.name, *elsewhere(run.folder), '--scorer', 'NAME'])}"
        )
        return
    posterior = posterior_of(record.songs, read_space(run), prior)
    favourite, effects = posterior.favourite(), posterior.effects()
    share, overall = posterior.noise_share(), posterior.noise_share_overall()
    gain = posterior.expected_gain(more, top)
    document |= {
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
        "noise_share": _interval(share),
        "noise_share_overall": _interval(overall),
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
    if prior.observations:
        print(f"\n{len(prior.observations)} of the songs are those the search began with (--prior).")
    luck = f"\nLuck of the draw: {_share(share)} of the variance between songs"
    # Where genres differ, luck is a smaller part of what lies between all songs than of what lies within a genre.
    between = f" within a genre,\n  {_share(overall)} of that between songs of all genres, their differences included"
    print(f"{luck}{between if several else ''}.")
    words = ", ".join(f"{name} {value}" for name, value in favourite.params.items())
    songs = f"{favourite.songs} song{'s' if favourite.songs != 1 else ''}"
    print(
        f"The recipe expected to do best: {words}.\n  A new take of it scores {favourite.expected.mean:.2f} on average "
        f"({favourite.expected.low:.2f} to {favourite.expected.high:.2f}); it has {songs}, and is the "
        f"best one with probability {_percent(favourite.probability)}."
    )
    best = f"the best {top}" if top < len(record.songs) else f"the best {top} (now all of them)"
    print(f"Another {more} songs are expected to lift the mean of {best} by {gain:.2f}.")


def _percent(probability: float) -> str:
    # A thousand draws that never met it do not make it impossible.
    return "under 1 %" if probability < 0.01 else f"{probability:.0%}"


def _share(estimate: Estimate) -> str:
    return f"{estimate.mean:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}

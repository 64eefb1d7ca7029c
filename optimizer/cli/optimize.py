"""`optimize --genre bhangra --trials 30`: run a search, or go on with it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.ending import UntilGain, counted, songs_asked_for
from optimizer.cli.ending import reason as reason_of
from optimizer.cli.options import RUNS_DIR, Json, RunsDir, complete_genre, elsewhere, number, print_json, print_table
from optimizer.cli.stopping import stopping
from optimizer.errors import Interrupted, UsageError, did_you_mean

if TYPE_CHECKING:
    from optimizer.loop import Budget
    from optimizer.options import Options
    from optimizer.session import Session
    from optimizer.song import Record

PROGRESS = ("auto", "rich", "plain", "json", "none")
FINISHING = "Finishing the songs in flight; press Ctrl-C again to drop them."


def register(app: typer.Typer) -> None:
    """Make this the command without a verb."""
    app.callback(invoke_without_command=True)(main)


def main(
    ctx: typer.Context,
    genre: Annotated[
        str | None,
        typer.Option(help="Genre to search, or `all`; see `optimize spaces`.", autocompletion=complete_genre),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Songs the run shall have in total (30).", metavar="N")] = None,
    more: Annotated[int | None, typer.Option(help="Songs to add to what the run has.", metavar="N")] = None,
    space: Annotated[Path | None, typer.Option(help="A search space of your own (TOML).", metavar="FILE")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the run; the genre by default.", metavar="NAME")] = None,
    runs_dir: RunsDir = RUNS_DIR,
    storage: Annotated[
        str | None,
        typer.Option(help="Database URL for the study; the run's own SQLite file by default.", metavar="URL"),
    ] = None,
    renderer: Annotated[
        str | None,
        typer.Option(help="acestep, acestep-native, musicgen, synth or package.module:Class.", metavar="NAME"),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder or Hub id for the renderer.", metavar="DIR_OR_ID")
    ] = None,
    acestep_dir: Annotated[
        str | None, typer.Option(help="Checkout of ACE-Step 1.5, for acestep-native.", metavar="DIR")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of each song (30).", metavar="SECONDS")] = None,
    workers: Annotated[int | None, typer.Option(help="Songs rendered side by side (1).", metavar="N")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda, mps or cpu, for the renderer.")] = None,
    recycle: Annotated[int | None, typer.Option(help="Songs after which a worker is replaced.", metavar="N")] = None,
    fresh_process: Annotated[
        bool,
        typer.Option("--fresh-process/--keep-loaded", help="Load the model anew for each song, or keep it loaded."),
    ] = False,
    replay_plans: Annotated[
        str | None, typer.Option(help="auto or off: let a take replay the stored plan of its recipe.")
    ] = None,
    sandbox: Annotated[str, typer.Option(help="auto, bwrap, landlock, seatbelt or off.")] = "auto",
    scorer: Annotated[
        str | None, typer.Option(help="Such as banger, banger+tunejury:0.5, acoustic, a folder, package.module:Class.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Folder or Hub id of MERT.", metavar="DIR_OR_ID")] = None,
    head: Annotated[
        str | None, typer.Option(help="Head for the scorer: a file; for emotion:NAME its folder.", metavar="PATH")
    ] = None,
    window: Annotated[str | None, typer.Option(help="What the scorer hears: first, middle or all.")] = None,
    scorer_device: Annotated[str | None, typer.Option(help="auto, cuda, mps or cpu, for the scorer.")] = None,
    scorer_dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16.")] = None,
    sampler: Annotated[str | None, typer.Option(help="topk, tpe, gp, random, nsga2 or package.module:Class.")] = None,
    explore: Annotated[
        int | None, typer.Option(help="Songs of the random sweep before the search refines.", metavar="N")
    ] = None,
    goal: Annotated[str | None, typer.Option(help="best: the best songs; average: reliably good ones.")] = None,
    per_genre: Annotated[
        bool | None,
        typer.Option("--per-genre", help="With --genre all: the same number of songs for each.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search (0).", metavar="N")] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help="An earlier study of this genre and scorer to begin with; may be repeated.", metavar="STUDY"),
    ] = None,
    budget_minutes: Annotated[
        float | None, typer.Option(help="Search for so long in all, instead of to a number of songs.", metavar="M")
    ] = None,
    until_gain: Annotated[
        float | None,
        typer.Option(
            help="Search until 30 more songs would lift the best five by less; --trials may end it before.",
            metavar="POINTS",
        ),
    ] = None,
    progress: Annotated[str, typer.Option(help="auto, rich, plain, json or none.")] = "auto",
    json_: Json = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Search for songs worth keeping: propose, render, listen, refine.

    The same command after a crash, or after Ctrl-C, goes on where it stopped.
    """
    if version:
        from optimizer import __version__

        print(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        return
    if progress not in PROGRESS:
        raise UsageError(
            f"--progress {progress!r} is not one of {', '.join(PROGRESS)}.{did_you_mean(progress, PROGRESS)}"
        )
    from optimizer.options import Options

    names = Options.__dataclass_fields__
    given = {name: value for name, value in ctx.params.items() if name in names}
    given["prior"] = tuple(prior or ())
    search(Options(**given), progress=progress, as_json=json_)


def search(options: Options, *, progress: str, as_json: bool) -> None:
    """Open the run, search to the target, and print the best."""
    from optimizer.opening import open_session
    from optimizer.study import read_record

    session = None
    try:
        session = open_session(options)
        budget, why = _searched(session, options, progress)
        record = read_record(session.run, storage=session.options.storage)
    except (Interrupted, KeyboardInterrupt) as error:
        # The latter before the loop is there to finish what is in flight, and after it.
        message = error.message if isinstance(error, Interrupted) else "interrupted."
        go_on = "The same command begins the run, or goes on with it."
        if session is not None and session.run.exists():
            go_on = f"Go on with: {resume_command(session)}"
        raise Interrupted(message, next_step=go_on) from None
    target = budget.trials if budget.counted else None
    report(record, as_json=as_json, target=target, ended=budget.cause, reason=why)


def _searched(session: Session, options: Options, progress: str) -> tuple[Budget, str | None]:
    """Search under the run's lock; return the budget as the loop left it, and why it ended."""
    from optimizer.cli.display import make
    from optimizer.loop import Budget
    from optimizer.opening import begin
    from optimizer.study import open_storage, read_record

    run = session.run
    if session.options.storage is not None:
        open_storage(run.database, session.options.storage)
    run.create()
    with run.lock():
        begin(session)
        record = read_record(run, storage=session.options.storage, estimates=False)
        done = len(record.songs)
        trials = songs_asked_for(options, done, record.target)
        if options.more is not None:
            # The command that goes on shall not add as many again.
            session.options = replace(session.options, trials=trials, more=None)
        total = trials if counted(options) else None
        display = make(progress, total, done, max((song.value for song in record.songs), default=None))
        for note in session.notes:
            display.say(note)
        if session.resumed:
            goal = "" if total is None else f", {total} asked for"
            display.say(f"Going on with {run.folder}: {done} songs there{goal}.")
        study = session.open_study(total)
        study.target = total
        seconds = None if options.budget_minutes is None else 60.0 * options.budget_minutes
        gain = None if options.until_gain is None else UntilGain(session, options.until_gain)
        budget = Budget(trials, seconds, gain, counted=total is not None)
        try:
            with display:
                done = session.search(study, budget, display, lambda loop: stopping(loop.stop, FINISHING))
                why = reason_of(budget, gain, done)
                if why is not None:
                    display.say(why)
        finally:
            study.close()
    return budget, why


def resume_command(session: Session) -> str:
    """Spell the command that goes on with a run, to the same end."""
    words = ["optimize", "--study", session.run.folder.name, *elsewhere(session.run.folder)]
    for name in ("trials", "more", "budget_minutes", "until_gain"):
        if (value := getattr(session.options, name)) is not None:
            words += [f"--{name.replace('_', '-')}", f"{value:.12g}"]
    if session.options.sandbox != "auto":
        words += ["--sandbox", session.options.sandbox]
    return shlex.join(words)


def report(record: Record, *, as_json: bool, target: int | None, ended: str, reason: str | None, top: int = 5) -> None:
    """Print the best songs and what to do with them.

    Parameters
    ----------
    record : Record
    as_json : bool
    target : int or None
        Songs that were asked for; None where time or gain alone decided.
    ended : {"songs", "time", "gain"}
        What ended the search.
    reason : str or None
        The same in a sentence, where there is more to say than the number of songs.
    top : int
        How many songs.
    """
    from optimizer.cli.choice import choose

    # As `best` and `export` choose: not five takes of one recipe.
    ranked = choose([record], top=top).songs if record.songs else ()
    if as_json:
        print_json(
            {
                "study": record.name,
                "folder": str(record.folder),
                "songs": len(record.songs),
                "target": target,
                "ended": ended,
                "reason": reason,
                "failed": len(record.failed),
                "best": [song_document(song) for song in ranked],
            }
        )
        return
    if not ranked:
        return
    print(f"\nThe best {len(ranked)} of {len(record.songs)} songs in {shown(record.folder)}:\n")
    print_table(
        ["trial", "score", "expected", "shrunken", "style", "BPM", "key", "language", "file"],
        [
            [
                song.number,
                number(song.value),
                number(song.expected),
                number(song.shrunken),
                song.recipe.style,
                song.recipe.bpm,
                song.recipe.key,
                song.recipe.language,
                shown(song.audio) if song.audio else None,
            ]
            for song in ranked
        ],
        right=(0, 1, 2, 3, 5),
    )
    name = shlex.quote(record.folder.name)
    where = "".join(f" {shlex.quote(word)}" for word in elsewhere(record.folder))
    print(f"\n  optimize export {name}{where} --top {len(ranked)}     a playlist of them")
    print(f"  optimize report {name}{where}             a page to listen to")
    print(f"  optimize --study {name}{where} --more 30  search on", flush=True)
    sys.stdout.flush()


def song_document(song: Any) -> dict[str, Any]:
    """Return a song as it stands in every JSON document."""
    return {
        "study": song.study,
        "number": song.number,
        "phase": song.phase,
        "score": song.value,
        "expected": song.expected,
        "shrunken": song.shrunken,
        "parts": dict(song.parts),
        "audio": None if song.audio is None else str(song.audio),
        "sha256": song.sha256,
        "recipe": song.recipe.to_dict(),
        "timings": dict(song.timings),
        "attempts": song.attempts,
        "plan": song.plan,
        "plan_of": song.plan_of,
        "info": dict(song.info),
        "curve": list(song.curve),
    }


def shown(path: Path) -> str:
    """Spell a path as short as can be from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)

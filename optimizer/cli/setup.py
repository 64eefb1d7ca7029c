"""`optimize setup NAME`: download and verify a model, going on where an earlier attempt stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

RENDERERS = ("acestep", "musicgen")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("setup")(setup)


def complete_name(incomplete: str) -> list[str]:
    """Complete what can be set up."""
    from optimizer.scoring.setup import SETUPS

    return [name for name in (*RENDERERS, *SETUPS) if name.startswith(incomplete)]


def setup(
    name: Annotated[
        str,
        typer.Argument(help="acestep, musicgen, mert, banger, tunejury, emotion, ...", autocompletion=complete_name),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE_OR_URL]", help="For banger and tunejury: where the head is; for emotion: its folder."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="For acestep and musicgen: another Hub id, with @revision, or a folder.")
    ] = None,
) -> None:
    """Download and verify a model."""
    from optimizer.errors import UsageError, did_you_mean
    from optimizer.scoring.setup import SETUPS

    names = (*RENDERERS, *SETUPS)
    if name not in names:
        raise UsageError(f"{name!r} cannot be set up: {', '.join(names)}.{did_you_mean(name, names)}")
    if name in RENDERERS:
        if source is not None:
            raise UsageError(f"{name} takes no file; say --model HUB_ID or a folder.")
        from optimizer.rendering import acestep, musicgen

        fetch = {"acestep": acestep.setup, "musicgen": musicgen.setup}[name]
        found = fetch(model, bar(name))
        print(f"{name} is here: {found.folder} ({found.size / 1e9:.1f} GB, revision {found.revision[:12]})")
        return
    if model is not None:
        raise UsageError(f"{name} takes no --model.")
    from optimizer.scoring.setup import setup as fetch_listener

    fetched = fetch_listener(name, source, bar(name))
    print(f"{name} is here: {fetched.path} (licence: {fetched.licence})")


def bar(name: str) -> Callable[[int, int], None] | None:
    """Return what shows bytes on a terminal."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        share = f"{100 * done / total:3.0f} %  " if total else ""
        print(f"\r{name}  {share}{done / 1e6:,.0f} of {total / 1e6:,.0f} MB\033[K", end="", file=sys.stderr, flush=True)
        if total and done >= total:
            print(file=sys.stderr)

    return show

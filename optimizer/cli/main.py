"""The command `optimize`: its verbs, and how an error leaves it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from optimizer.cli import (
    best,
    dashboard,
    dataset,
    doctor,
    embed,
    evaluate,
    explain,
    export,
    import_,
    listen,
    optimize,
    report,
    rerender,
    rescore,
    score,
    setup,
    show,
    spaces,
    studies,
    train,
    verify,
    votes,
)
from optimizer.errors import Interrupted, MissingPrerequisite, OptimizeError


class Verbs(TyperGroup):
    """The verbs: an interrupt is said on stderr, whichever it meets, and so is the value that an option cannot take."""

    def make_context(self, *args: Any, **settings: Any) -> Any:
        try:
            return super().make_context(*args, **settings)
        except typer.BadParameter as error:
            _name_value(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            _name_value(error)
            raise
        except ModuleNotFoundError as error:
            from optimizer.scoring.packages import INSTALL, MODELS

            package = (error.name or "").partition(".")[0]
            if package not in MODELS:
                raise
            raise MissingPrerequisite(f"this needs {package}, not installed here.", next_step=INSTALL) from error
        except KeyboardInterrupt:
            # Typer itself would leave without a word.
            raise Interrupted("interrupted.") from None


def _name_value(error: typer.BadParameter) -> None:
    """Put the value into a message of pydantic's, by which Typer checks options; it tells only the legal form."""
    cause: Any = error.__cause__
    found = cause.errors() if hasattr(cause, "errors") else []
    if found and error.message.startswith("Input should "):
        error.message = f"{found[0]['input']!r} must {error.message.removeprefix('Input should ')}"


app = typer.Typer(
    name="optimize",
    cls=Verbs,
    # Without rich the help answers in a third of the time.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    optimize,
    best,
    dashboard,
    dataset,
    doctor,
    embed,
    evaluate,
    explain,
    export,
    import_,
    listen,
    rerender,
    report,
    rescore,
    score,
    setup,
    show,
    spaces,
    studies,
    train,
    verify,
    votes,
)
for verb in VERBS:
    verb.register(app)


def run() -> None:
    """Run the command line; the console script's entry."""
    try:
        app(standalone_mode=True)
    except OptimizeError as error:
        leave(error)
    except KeyboardInterrupt:
        leave(Interrupted("interrupted."))
    except BrokenPipeError:
        # The reader of our output (a pager, head) has gone: not an error, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def leave(error: OptimizeError) -> None:
    """Say what went wrong and what to do next, and exit with the error's code."""
    if isinstance(error, Interrupted):
        # One more Ctrl-C, pressed while Python takes itself down, would make a death by signal of the code that is due.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    word = "stopped" if isinstance(error, Interrupted) else "error"
    print(f"{word}: {error.message}", file=sys.stderr)
    if error.next_step:
        print(error.next_step, file=sys.stderr)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    run()

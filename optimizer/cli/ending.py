"""When a search ends: at how many songs, by which gain; and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizer.loop import Budget
    from optimizer.options import Options
    from optimizer.session import Session

NO_END = 1_000_000
"""Songs that no budget of time reaches."""
MOST = 1_000
"""Songs after which `--until-gain` alone ends a search all the same."""
LOOK = 5
"""Songs between two looks of `--until-gain`."""
LEAST = 10
"""Songs before which it believes nothing."""
AHEAD = 30
"""Songs whose gain it asks for."""


def counted(options: Options) -> bool:
    """Whether a number of songs ends the search, rather than time or gain alone."""
    if options.trials is not None or options.more is not None:
        return True
    return options.budget_minutes is None and options.until_gain is None


def songs_asked_for(options: Options, done: int, target: int | None) -> int:
    """Return how many songs the run shall have, the most it may have where `counted` is false.

    Parameters
    ----------
    options : Options
        As given, not settled.
    done : int
        Songs it has.
    target : int or None
        Songs that were last asked for.
    """
    from optimizer.options import DEFAULT_TRIALS

    if options.more is not None:
        return done + options.more
    if options.trials is not None:
        return options.trials
    if options.budget_minutes is not None:
        return NO_END
    return MOST if options.until_gain is not None else target or DEFAULT_TRIALS


class UntilGain:
    """Says when another 30 songs are not worth it.

    It looks at every fifth song, at the songs that were there then: the same command again stops for the same reason.

    Parameters
    ----------
    session : Session
    points : float
        Gain of the mean of the best five songs below which the search ends.
    """

    def __init__(self, session: Session, points: float) -> None:
        self._session = session
        self._points = points
        self._looked = 0
        self._gain = 0.0
        self._reached: str | None = None

    def __call__(self) -> str | None:
        """Return why the search ends, or None while it goes on or nothing new can be looked at."""
        from optimizer.estimates import posterior_of
        from optimizer.study import read_record

        session = self._session
        songs = read_record(session.run, storage=session.options.storage, estimates=False).songs
        # The look that ended an earlier search was made before the songs then in flight were there.
        flight = 0 if self._looked else (session.options.workers or 1) - 1
        # Several are in flight with several workers, and trial numbers do not tell which were there first.
        ordered = sorted(songs, key=lambda song: (song.finished or 0.0, song.number))
        last = len(songs) // LOOK * LOOK
        for count in range(max((len(songs) - flight) // LOOK * LOOK, LEAST), last + 1, LOOK):
            if count == self._looked:
                continue
            self._looked = count
            self._gain = posterior_of(ordered[:count], session.space, session.prior).expected_gain(AHEAD)
            if self._gain < self._points:
                self._reached = (
                    f"After {count} songs, {AHEAD} more are expected to lift the mean of the best five by "
                    f"{self._gain:.3f}, less than --until-gain {self._points:g}. --more N without it goes on."
                )
                return self._reached
        return None

    def at_the_end(self) -> str:
        """Return what is to be said of the gain when something else ended the search."""
        # It may have been small before songs then in flight reached the number asked for.
        reached = self._reached or self()
        if reached is not None:
            return reached
        if not self._looked:
            return (
                f"--until-gain {self._points:g} was not looked at: it believes nothing before {LEAST} songs; "
                "--more N goes on."
            )
        return (
            f"--until-gain {self._points:g} is not reached: after {self._looked} songs, {AHEAD} more still promise "
            f"{self._gain:.3f}; --more N goes on."
        )


def reason(budget: Budget, gain: UntilGain | None, done: int) -> str | None:
    """Return why a search ended, in a sentence; None where its number of songs is all there is to say."""
    said = [] if budget.ended is None else [budget.ended]
    if not budget.counted and budget.cause == "songs" and done >= budget.trials:
        said.append(f"There are {done} songs, the most that --until-gain makes by itself.")
    if gain is not None and budget.cause != "gain":
        said.append(gain.at_the_end())
    return " ".join(said) or None

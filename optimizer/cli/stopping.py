"""What Ctrl-C does to a command that works through songs: once to finish what is in hand, twice to drop it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stopping(stop: Callable[[], None], words: str) -> Iterator[None]:
    """Have SIGINT ask to stop, and SIGTERM ask twice.

    Parameters
    ----------
    stop : callable
        Asked once, it finishes what is in hand; asked twice, it drops it; what is asked after that changes nothing.
    words : str
        What is said on stderr when it is first asked.
    """
    said = False

    def once(number: int, frame: object) -> None:
        nonlocal said
        if not said:
            said = True
            # The handler may interrupt a write to the same stream, so it writes to the descriptor itself.
            with contextlib.suppress(OSError):
                os.write(2, f"\n{words}\n".encode())
        stop()

    def twice(number: int, frame: object) -> None:
        stop()
        stop()

    before = {signal.SIGINT: signal.signal(signal.SIGINT, once), signal.SIGTERM: signal.signal(signal.SIGTERM, twice)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Brake:
    """Stops work in the main thread: between two steps when asked once, at once when asked twice.

    Attributes
    ----------
    asked : bool
        Whether the next step shall not begin.
    """

    def __init__(self) -> None:
        self.asked = False
        self._dropped = False

    def stop(self) -> None:
        """Ask for it; called by a signal handler.

        Raises
        ------
        KeyboardInterrupt
            The second time; never again, so that clearing up is not interrupted itself.
        """
        if self.asked and not self._dropped:
            self._dropped = True
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self) -> bool:
        """Say whether to stop here; if so, being asked again interrupts nothing."""
        self._dropped = self._dropped or self.asked
        return self.asked

"""A folder that was trained into before: whether a new head may go there, and what of the old one must not stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from optimizer.errors import UsageError
from optimizer.scoring.heads import CONFIG, WEIGHTS
from optimizer.training.data import INFO, STORE, VECTORS
from optimizer.training.folder import WORK
from optimizer.training.seen import FILE

EMOTION, AXES = "emotion.json", ("valence", "arousal")
PLOTS = ("residuals-random.svg", "residuals-grouped.svg")
_HEAD = (CONFIG, WEIGHTS, "card.json", "card.md")
_WRITTEN = (*_HEAD[1:], FILE, *PLOTS)


def folders(out: Path, targets: Sequence[str]) -> list[Path]:
    """Return where the heads of these targets go: one into `out` itself, several below it."""
    return [out] if len(targets) == 1 else [out / target for target in targets]


def refuse_other(out: Path, targets: Sequence[str]) -> None:
    """Refuse a folder that holds what this training would leave standing beside its own head.

    The same training again, killed or not, goes into its folder; so does another of the same shape.

    Parameters
    ----------
    out : Path
    targets : sequence of str
        What is to be learnt; one head each.

    Raises
    ------
    UsageError
        If `out` is a file, is itself a head where several are to go below it, holds heads below it where one is to
        go into it, holds an emotion head of which only a part would be new, is a folder of embeddings, or holds files
        under a head's names that no training wrote.
    """
    step = f"Name another folder with --out, or remove what is in {out}."
    if out.exists() and not out.is_dir():
        raise UsageError(f"folder {out} cannot be made: a file is there.", next_step="Name another with --out.")
    if len(targets) > 1 and any((out / name).exists() for name in _HEAD):
        raise UsageError(
            f"{out} holds a head of its own; the heads of {', '.join(targets)} would lie below it.", next_step=step
        )
    below = sorted({path.parent.name for name in _HEAD for path in out.glob(f"*/{name}")})
    if len(targets) == 1 and (below or (out / EMOTION).exists()):
        raise UsageError(
            f"{out} holds heads below it ({', '.join(below) or EMOTION}); that of {targets[0]} would lie above them.",
            next_step=step,
        )
    if len(targets) > 1 and (out / EMOTION).exists() and 0 < len(set(AXES) & set(targets)) < len(AXES):
        raise UsageError(
            f"{out} holds an emotion head, of which only {', '.join(set(AXES) & set(targets))} would be new.",
            next_step=step,
        )
    for folder in {out, *folders(out, targets)}:
        if any((folder / name).exists() for name in (INFO, STORE, VECTORS)):
            raise UsageError(
                f"{folder} holds embeddings; a head and its card go into a folder of their own.",
                next_step="Name another folder with --out.",
            )
    if (foreign := _foreign(out, targets)) is not None:
        raise UsageError(
            f"{foreign.parent} holds a {foreign.name} that no training wrote (there is no {CONFIG} with it); it would "
            "be overwritten or removed.",
            next_step=f"Name another folder with --out, or move {foreign.name} away.",
        )


def _foreign(out: Path, targets: Sequence[str]) -> Path | None:
    """Return a file under one of the names that a training writes or removes, where none was ever begun."""
    # Until the last head is whole, what is kept for a kill lies there.
    if (out / WORK).is_dir():
        return None
    whole = {folder for folder in folders(out, targets) if (folder / CONFIG).is_file()}
    files = [folder / name for folder in folders(out, targets) if folder not in whole for name in _WRITTEN]
    if len(targets) > 1 and not {out / axis for axis in AXES} <= whole:
        files.append(out / EMOTION)
    return next((file for file in files if file.exists()), None)


@contextmanager
def replaced(out: Path, targets: Sequence[str], plots: Sequence[str]) -> Iterator[None]:
    """Train into a folder so that nothing of an earlier training stays there when it ends.

    Parameters
    ----------
    out : Path
    targets : sequence of str
    plots : sequence of str
        Names of `PLOTS` that this training writes itself.
    """
    emotion, aside = out / EMOTION, out / f".{EMOTION}.before"
    # An old valence beside a new arousal is no emotion head: without this file it is not taken for one.
    pair = len(targets) > 1 and set(AXES) <= set(targets) and emotion.is_file()
    before = _state(out)
    if pair:
        emotion.replace(aside)
    try:
        yield
    except BaseException:
        # Nothing was written yet: the old head is whole.
        if pair and _state(out) == before:
            aside.replace(emotion)
        raise
    aside.unlink(missing_ok=True)
    for folder in folders(out, targets):
        for name in set(PLOTS) - set(plots):
            (folder / name).unlink(missing_ok=True)


def _state(out: Path) -> list[tuple[int, int]]:
    """Return what tells an emotion folder's heads from others."""
    found = []
    for axis in AXES:
        for name in (CONFIG, WEIGHTS):
            with suppress(OSError):
                stat = (out / axis / name).stat()
                found.append((stat.st_ino, stat.st_mtime_ns))
    return found

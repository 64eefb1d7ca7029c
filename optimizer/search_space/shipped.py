"""The search spaces that come with the program, and how they are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from optimizer.errors import SpaceError, did_you_mean
from optimizer.search_space.reader import read_genre
from optimizer.search_space.space import SearchSpace

GENRES: tuple[str, ...] = (
    "hip-hop",
    "pop",
    "rnb",
    "latin",
    "bollywood",
    "bhangra",
    "cpop",
    "rock",
    "edm",
    "acoustic",
)
"""What ``all`` stands for, in this order; fusion grids such as ``bangers`` overlap with these and stay out."""

ALL = "all"


def spaces_folder() -> Path:
    """Return the folder of the shipped search spaces: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    # A stranger's `search_spaces` may lie beside an installed package, so the inner folder comes first.
    for folder in (package / "search_spaces", package.parent / "search_spaces"):
        if folder.is_dir():
            return folder
    raise SpaceError(
        f"no search spaces at {package / 'search_spaces'} or {package.parent / 'search_spaces'}.",
        next_step="Install the program again: pip install --force-reinstall banger-optimizer",
    )


def genre_names() -> tuple[str, ...]:
    """Return the names of the shipped search spaces: the ten genres in their order, then the others by name."""
    found = {path.stem for path in spaces_folder().glob("*.toml")}
    return tuple(name for name in GENRES if name in found) + tuple(sorted(found.difference(GENRES)))


def load_genre(name: str) -> SearchSpace:
    """Load a shipped search space.

    Parameters
    ----------
    name : str
        One of `genre_names`, or ``"all"`` for the ten genres together.

    Raises
    ------
    SpaceError
        If there is none of that name.
    """
    return load_genres(GENRES) if name == ALL else load_genres([name])


def load_genres(names: Sequence[str]) -> SearchSpace:
    """Load several shipped search spaces as one; the order of `names` is kept.

    Raises
    ------
    SpaceError
        If a name is unknown, appears twice, or there is none.
    """
    known = genre_names()
    for name in names:
        # Compared with the folder's own listing, so a name can never lead out of it.
        if name not in known:
            raise SpaceError(
                f"genre {name!r} is not known: it must be one of {', '.join(known)}, or {ALL}."
                f"{did_you_mean(slug(name.removesuffix('.toml')), (*known, ALL))}",
                next_step="`optimize spaces` shows them; --space FILE takes a file of your own.",
            )
    genres = tuple(read_genre(spaces_folder() / f"{name}.toml", default_id=name) for name in names)
    return SearchSpace(ALL if tuple(names) == GENRES else "-".join(names), genres)


def load_file(path: str | Path) -> SearchSpace:
    """Load a search space from a TOML file; its name is the file's stem, made a slug.

    Raises
    ------
    SpaceError
        If the file cannot be read or is not a valid search space.
    """
    path = Path(path).expanduser()
    name = slug(path.stem) or "space"
    return SearchSpace(name, (read_genre(path, default_id=name),))


def slug(text: str) -> str:
    """Reduce `text` to ``[a-z0-9-]``, at most 60 characters; accents are dropped, other scripts vanish."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")

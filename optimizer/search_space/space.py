"""What may be asked for: one genre's grid, or several genres side by side."""

from __future__ import annotations

import hashlib
import itertools
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from optimizer.errors import SpaceError, did_you_mean
from optimizer.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers from `low` to `high`, both included, in equal steps.

    Attributes
    ----------
    low, high : int
        ``high - low`` is a whole number of steps.
    step : int
        1 or more.
    """

    low: int
    high: int
    step: int = 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step))

    def __len__(self) -> int:
        return (self.high - self.low) // self.step + 1

    def __contains__(self, value: object) -> bool:
        return value in range(self.low, self.high + 1, self.step)


Choices = tuple[Any, ...] | Range
"""Legal values of one Optuna parameter: a categorical's choices in order, or a range of whole numbers."""


@dataclass(frozen=True, slots=True)
class Style:
    """One way a genre can sound.

    Attributes
    ----------
    id : str
        Of ``[a-z0-9-]``, unique within the genre.
    caption : str
        What the engine is told.
    title : str
        For people to read.
    aliases : tuple of str
        Other captions of the same sound, by which songs made elsewhere are recognised.
    """

    id: str
    caption: str
    title: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Language:
    """A language to sing in, with the words.

    Attributes
    ----------
    code : str
        One of `optimizer.recipe.LANGUAGES`; ``unknown`` for instrumentals.
    lyrics : str
        With section tags, lines separated by ``\\n``.
    """

    code: str
    lyrics: str


@dataclass(frozen=True, slots=True)
class Genre:
    """One genre's grid.

    Attributes
    ----------
    id : str
        Of ``[a-z0-9-]``; written into recipes.
    title, description : str
        For people to read.
    styles : tuple of Style
    bpm : tuple of int, or Range
        Beats per minute, 30 to 300.
    keys : tuple of str
        Canonical spellings.
    languages : tuple of Language
    time_signature : str
        One of `optimizer.recipe.TIME_SIGNATURES`.
    aliases : tuple of str
        Other names of the genre.
    """

    id: str
    title: str
    styles: tuple[Style, ...]
    bpm: tuple[int, ...] | Range
    keys: tuple[str, ...]
    languages: tuple[Language, ...]
    time_signature: str = "4"
    description: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many combinations of style, BPM, key and language there are."""
        return len(self.styles) * len(self.bpm) * len(self.keys) * len(self.languages)

    def match_style(self, caption: str) -> Style | None:
        """Find the style that a caption, an id, a title or an alias belongs to.

        Case, runs of white space and a final full stop do not count.
        """
        wanted = fold(caption)
        for style in self.styles:
            if wanted in names_of(style):
                return style
        return None

    def matches(self, name: str) -> bool:
        """Tell whether `name` is this genre's id, title or one of its aliases."""
        return fold(name) in {fold(own) for own in (self.id, self.title, *self.aliases)}


@dataclass(frozen=True)
class SearchSpace:
    """All points a study may propose.

    A point is a mapping of Optuna parameter names to values: ``style``, ``bpm``, ``key``, ``language``, and
    ``genre`` when there are several genres; a style is then written ``"genre/style"``, so that its values are
    unique. The seed is no part of it.

    Attributes
    ----------
    name : str
        Of ``[a-z0-9-]``; the default name of a run.
    genres : tuple of Genre
        At least one, with ids that differ.
    """

    name: str
    genres: tuple[Genre, ...]
    _by_id: Mapping[str, Genre] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {genre.id: genre for genre in self.genres}
        if not by_id or len(by_id) < len(self.genres):
            ids = ", ".join(genre.id for genre in self.genres)
            raise SpaceError(
                f"genres [{ids}] are not a search space: they must be at least one, each named once.",
                next_step="Name different genres; `optimize spaces` lists them.",
            )
        object.__setattr__(self, "_by_id", by_id)

    @property
    def several(self) -> bool:
        """Whether the genre is a parameter of its own."""
        return len(self.genres) > 1

    @property
    def size(self) -> int:
        """How many points there are; ranges are counted by their steps."""
        return sum(genre.size for genre in self.genres)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that reaches a recipe or orders a parameter's choices.

        Titles, descriptions and aliases are left out: correcting one must not end a run.
        """
        content = [
            {
                "id": genre.id,
                "styles": [[style.id, style.caption] for style in genre.styles],
                "bpm": [genre.bpm.low, genre.bpm.high, genre.bpm.step, "range"]
                if isinstance(genre.bpm, Range)
                else list(genre.bpm),
                "keys": list(genre.keys),
                "languages": [[language.code, language.lyrics] for language in genre.languages],
                "time_signature": genre.time_signature,
            }
            for genre in self.genres
        ]
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _subspaces(self) -> dict[str, dict[str, Choices]]:
        # One Optuna parameter cannot be a range in one genre and a list in another.
        as_range = all(genre.bpm == self.genres[0].bpm for genre in self.genres)
        return {
            genre.id: {
                **({"genre": (genre.id,)} if self.several else {}),
                "style": tuple(self.style_value(genre, style) for style in genre.styles),
                "bpm": genre.bpm if as_range else tuple(genre.bpm),
                "key": genre.keys,
                "language": tuple(language.code for language in genre.languages),
            }
            for genre in self.genres
        }

    def subspaces(self) -> dict[str, dict[str, Choices]]:
        """Return each genre's legal values by parameter, spelt as the Optuna parameters spell them.

        Within one genre every combination exists; across genres none does.
        """
        return {name: dict(choices) for name, choices in self._subspaces.items()}

    def parameters(self) -> dict[str, Choices]:
        """Return the Optuna parameters in a fixed order, each with its legal values.

        For several genres a parameter's choices are the union over the genres: BPM ascending, the others in order
        of first appearance. Not every combination exists then; see `subspaces` and `contains`.
        """
        spaces = list(self._subspaces.values())
        return {name: _union(name, [space[name] for space in spaces]) for name in spaces[0]}

    def style_value(self, genre: Genre, style: Style) -> str:
        """Return the value of the Optuna parameter ``style`` that stands for `style`."""
        return f"{genre.id}/{style.id}" if self.several else style.id

    def contains(self, params: Mapping[str, Any]) -> bool:
        """Tell whether `params` is a point that exists; parameters of other names are ignored."""
        space = self._subspaces.get(str(params.get("genre"))) if self.several else self._subspaces[self.genres[0].id]
        return space is not None and all(name in params and params[name] in space[name] for name in space)

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield every point once, in a fixed order."""
        for space in self._subspaces.values():
            for values in itertools.product(*space.values()):
                yield dict(zip(space, values, strict=True))

    def recipe(self, params: Mapping[str, Any], *, seed: int, duration: float) -> Recipe:
        """Turn a point into all that one render needs.

        Parameters
        ----------
        params : mapping
            A point; parameters of other names are ignored.
        seed : int
            0 to 2**31 - 1.
        duration : float
            Seconds.

        Raises
        ------
        SpaceError
            If the space does not contain the point.
        RecipeError
            If seed or duration is out of range.
        """
        if not self.contains(params):
            raise self._not_contained(params)
        genre = self._by_id[params["genre"]] if self.several else self.genres[0]
        style = next(style for style in genre.styles if self.style_value(genre, style) == params["style"])
        language = next(language for language in genre.languages if language.code == params["language"])
        return Recipe(
            genre=genre.id,
            style=style.id,
            caption=style.caption,
            bpm=int(params["bpm"]),
            key=params["key"],
            language=language.code,
            lyrics=language.lyrics,
            seed=seed,
            duration=duration,
            time_signature=genre.time_signature,
        )

    def point(self, recipe: Recipe) -> dict[str, Any]:
        """Return the point that `recipe` was made from, as `recipe`'s inverse.

        The point may lie outside this space; `contains` tells.
        """
        style = f"{recipe.genre}/{recipe.style}" if self.several else recipe.style
        genre = {"genre": recipe.genre} if self.several else {}
        return {**genre, "style": style, "bpm": recipe.bpm, "key": recipe.key, "language": recipe.language}

    def probe_recipes(self, duration: float) -> list[Recipe]:
        """Return one recipe per genre, style and language, with the longest BPM and key text of its genre.

        An engine counts their tokens before the first render.
        """
        probes = []
        for space in self._subspaces.values():
            fixed = {"bpm": max(space["bpm"], key=lambda bpm: len(str(bpm))), "key": max(space["key"], key=len)}
            free = [name for name in space if name not in fixed]
            for values in itertools.product(*(space[name] for name in free)):
                probes.append(self.recipe(dict(zip(free, values, strict=True)) | fixed, seed=0, duration=duration))
        return probes

    def genre(self, name: str) -> Genre | None:
        """Find a genre by id, title or alias."""
        return self._by_id.get(name) or next((genre for genre in self.genres if genre.matches(name)), None)

    def _not_contained(self, params: Mapping[str, Any]) -> SpaceError:
        parameters = self.parameters()
        space = self._subspaces.get(str(params.get("genre")), parameters)
        for name, choices in space.items():
            if name not in params:
                return SpaceError(f"point {dict(params)!r} of search space {self.name!r} lacks {name!r}.")
            if params[name] not in choices:
                hint = did_you_mean(str(params[name]), map(str, choices))
                legal = describe(parameters["genre"] if name == "genre" else choices)
                return SpaceError(f"{name} {params[name]!r} is not in search space {self.name!r}: {legal}.{hint}")
        return SpaceError(f"point {dict(params)!r} is not in search space {self.name!r}.")


def describe(choices: Choices) -> str:
    """Spell out a parameter's legal values."""
    if isinstance(choices, Range):
        return f"{choices.low} to {choices.high} in steps of {choices.step}"
    return "one of " + ", ".join(map(str, choices))


def fold(text: str) -> str:
    """Reduce a name to what two spellings of it share: case, white space and a final full stop do not count."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split()).rstrip(".")


def names_of(style: Style) -> set[str]:
    """Return everything a style answers to, folded."""
    return {fold(name) for name in (style.id, style.title, style.caption, *style.aliases)}


def _union(name: str, spaces: Sequence[Choices]) -> Choices:
    if isinstance(spaces[0], Range):
        return spaces[0]
    union = tuple(dict.fromkeys(itertools.chain.from_iterable(spaces)))
    return tuple(sorted(union)) if name == "bpm" and len(spaces) > 1 else union

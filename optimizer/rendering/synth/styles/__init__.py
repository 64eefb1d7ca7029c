"""All styles, and the choice of one for any recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from optimizer.rendering.synth.styles.acoustic import ACOUSTIC
from optimizer.rendering.synth.styles.bhangra import BHANGRA
from optimizer.rendering.synth.styles.bollywood import BOLLYWOOD
from optimizer.rendering.synth.styles.cpop import CPOP
from optimizer.rendering.synth.styles.edm import EDM
from optimizer.rendering.synth.styles.hip_hop import HIP_HOP
from optimizer.rendering.synth.styles.latin import LATIN
from optimizer.rendering.synth.styles.pop import POP
from optimizer.rendering.synth.styles.rnb import RNB
from optimizer.rendering.synth.styles.rock import ROCK
from optimizer.rendering.synth.styles.style import Lane, Part, Style

__all__ = ["STYLES", "Lane", "Part", "Style", "choose"]

STYLES: tuple[Style, ...] = (
    *BHANGRA, *EDM, *BOLLYWOOD, *CPOP, *LATIN, *POP, *ROCK, *HIP_HOP, *ACOUSTIC, *RNB,
)  # fmt: skip

_GENRE_WORDS = {
    "bhangra": ("bhangra", "punjabi", "dhol", "tumbi"),
    "edm": ("edm", "electronic", "house", "techno", "trance", "rave", "dubstep", "club"),
    "bollywood": ("bollywood", "hindi", "indian", "tabla", "filmi", "desi"),
    "cpop": ("cpop", "c-pop", "mandarin", "chinese", "cantonese", "mandopop", "kpop", "k-pop", "jpop"),
    "latin": ("latin", "reggaeton", "salsa", "bachata", "cumbia", "dembow", "samba", "spanish", "reggae"),
    "pop": ("pop", "disco", "funk"),
    "rock": ("rock", "punk", "metal", "grunge", "alternative", "guitar"),
    "hip-hop": ("hip", "hop", "hip-hop", "rap", "trap", "drill", "lo-fi"),
    "acoustic": ("acoustic", "folk", "country", "singer-songwriter", "fingerpicked", "ambient", "classical"),
    "rnb": ("rnb", "r&b", "soul", "neo-soul", "jazz", "ballad"),
}


def _words(text: str) -> set[str]:
    found = re.findall(r"[a-z0-9&]+(?:-[a-z0-9&]+)*", text.lower())
    return set(found) | {part for word in found for part in word.split("-")}


def choose(recipe: Mapping[str, Any]) -> Style:
    """Choose a style for a recipe.

    The ids of genre and style decide if they are known; otherwise the words of genre, style and caption do, so
    that a user's own genre sounds like its description as far as that goes.
    """
    genre, style = str(recipe["genre"]), str(recipe["style"])
    exact = [known for known in STYLES if (known.genre, known.id) == (genre, style)]
    if exact:
        return exact[0]
    own = _words(f"{genre} {style}")
    said = _words(str(recipe["caption"]))

    def fit(known: Style) -> float:
        kind = set(_GENRE_WORDS[known.genre])
        points = 12.0 * (known.genre == genre) + 8.0 * (known.id == style)
        points += 3.0 * len(kind & own) + 2.0 * len(kind & said)
        return points + 2.0 * len(set(known.words) & own) + len(set(known.words) & said)

    # max keeps the first of equals, and the table's order is fixed.
    return max(STYLES, key=fit)

"""What generated clips of a class are asked to sound like: descriptions, tempi, keys, one recipe per clip."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping, Sequence

from optimizer.errors import UsageError
from optimizer.recipe import Recipe
from optimizer.runs import slug
from optimizer.samplers import derive_seed
from optimizer.search_space import genre_names, load_genre

DESCRIPTIONS: Mapping[str, tuple[str, ...]] = {
    "electronica": (
        "analogue synthesizers, a four-on-the-floor kick, evolving pads",
        "glitchy drum machine, deep sub bass, spacious reverb",
        "arpeggiated synth lines, side-chained chords, bright hi-hats",
        "downtempo breakbeat, warm pads, vocal chops",
        "acid bass line, clattering percussion, rising filter sweeps",
        "ambient textures, granular bells, a slow pulse",
        "detuned saw leads, rolling bass, a long build-up",
        "minimal techno loop, dubbed-out stabs, dry claps",
        "fast breakbeats, reese bass, metallic pads",
        "chiptune melody, square-wave bass, crisp snares",
    ),
    "funk": (
        "slap bass, wah-wah guitar, tight syncopated drums, brass stabs",
        "clavinet riff, sixteenth-note hi-hats, horn section",
        "rhythm guitar on the one, electric piano, congas",
        "talk-box lead, synth bass, hand claps",
        "second-line drums, sousaphone bass, trombones",
        "muted guitar scratches, fat organ chords, a drum break",
        "disco strings, octave bass, open hi-hats",
        "fuzz bass, cowbell, call-and-response horns",
        "slow-jam groove, Rhodes piano, ghost notes on the snare",
        "afrobeat guitars, baritone saxophone, shekere",
    ),
    "orchestral": (
        "sweeping strings, French horns, timpani, concert hall",
        "woodwind melodies over pizzicato strings",
        "a full symphony orchestra, dramatic brass, choir",
        "slow adagio for strings, solo cello",
        "playful bassoon and clarinet, light snare drum",
        "tremolo strings, low brass, a looming bass drum",
        "a waltz for violins and harp",
        "trumpet fanfare, cymbals, marching timpani",
        "solo piano with chamber orchestra",
        "oboe solo over sustained violas, distant bells",
    ),
    "pop": (
        "catchy chorus, bright synths, punchy drums",
        "acoustic guitar, layered vocals, hand claps",
        "piano ballad with soaring strings",
        "dance beat, plucked synth hook, warm bass",
        "eighties drum machine, glassy keyboards, gated snare",
        "finger snaps, close harmonies, upright bass",
        "tropical marimba, off-beat chords, a whistled hook",
        "stomping beat, shouted refrain, electric guitar",
        "dreamy guitars, soft drums, breathy vocals",
        "trap hi-hats, sung melody, sparse piano",
    ),
    "rock": (
        "distorted electric guitars, driving drums, bass",
        "blues-rock riff, overdriven amp, live drums",
        "palm-muted power chords, energetic double-time drums",
        "jangling guitars, steady backbeat, organ",
        "a slow heavy riff, crashing cymbals, fuzz",
        "twin guitar harmonies, galloping bass",
        "clean arpeggios that break into a loud chorus",
        "slide guitar, shuffle beat, honky-tonk piano",
        "feedback, tom-toms, a droning bass",
        "staccato guitars, dance-punk drums, spiky bass line",
    ),
}
"""What fills ``{description}``; classes that are not here take the styles of the shipped genre of that name."""

LEAST = 10
"""Descriptions of a class, so that a tenth of its clips can be of descriptions no other clip has."""

COLOURS = ("", "warm analogue sound", "bright modern mix", "raw live recording", "wide and spacious", "close and dry")
"""What is added to the styles of a shipped genre that has fewer than `LEAST`."""

TEMPI = {"electronica": 122, "funk": 104, "orchestral": 84, "pop": 112, "rock": 128}
KEYS = ("C major", "A minor", "G major", "E minor", "D major", "F major")


def recipes(
    prompt: str, classes: Sequence[str], per_class: int, *, duration: float = 10.0, seed: int = 0
) -> dict[str, list[Recipe]]:
    """Spell out what is to be rendered.

    Parameters
    ----------
    prompt : str
        With ``{genre}`` and ``{description}``.
    classes : sequence of str
    per_class : int
    duration : float
        Seconds of a clip.
    seed : int

    Raises
    ------
    UsageError
        If the prompt has other fields, a class comes twice, or nothing is known of one whose description is wanted.
    """
    try:
        found = [part[1:] for part in string.Formatter().parse(prompt) if part[1] is not None]
    except ValueError as error:
        raise UsageError(f"prompt {prompt!r} cannot be read: {error}.", next_step="Write {{ for a brace.") from error
    fields = {str(name) for name, _, _ in found}
    # Neither {genre:d}, which fits no text, nor {genre!r}.
    if fields - {"genre", "description"} or any(form or conversion for _, form, conversion in found):
        raise UsageError(
            f"prompt {prompt!r} may hold {{genre}} and {{description}} only, just so.",
            next_step="Write {{ and }} for braces that are meant as such.",
        )
    if len(set(classes)) != len(classes) or len(classes) < 2 or per_class < 2:
        raise UsageError("a data set needs two or more different classes, and two or more clips of each.")
    asked: dict[str, list[Recipe]] = {}
    for name in classes:
        ways = _ways(name)
        if not ways and "description" in fields:
            legal = sorted({*DESCRIPTIONS, *genre_names()})
            raise UsageError(f"nothing is known of class {name!r}: it must be one of {', '.join(legal)}.")
        asked[name] = []
        for number in range(per_class):
            drawn = derive_seed(seed, "dataset", name, number)
            way = ways[number % len(ways)] if ways else ""
            asked[name].append(
                Recipe(
                    genre=folder_of(name),
                    style=f"{folder_of(name)}-{number % max(len(ways), 1)}",
                    caption=prompt.format(genre=name, description=way).strip(),
                    bpm=TEMPI.get(name.casefold(), 110) + drawn % 21 - 10,
                    key=KEYS[drawn // 21 % len(KEYS)],
                    language="unknown",
                    lyrics="[Instrumental]",
                    seed=drawn,
                    duration=duration,
                )
            )
    return asked


def folder_of(name: str) -> str:
    """Return a class's name as a folder's."""
    try:
        return slug(name)
    except UsageError:
        # A name without a letter of a-z.
        return f"class-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def parts(asked: Sequence[Recipe], share: float = 0.1) -> tuple[list[str], str]:
    """Divide a class's clips into those that teach and those that judge.

    Whole captions go to the test part, so that no clip is judged whose words were heard in training; where all clips
    have one caption, it is single clips. As many are taken as come nearest to the share, one at least.

    Parameters
    ----------
    asked : sequence of Recipe
        Of one class, in order.
    share : float
        Of the test part.

    Returns
    -------
    list of {"train", "test"}, {"caption", "clip"}
        One word per clip, and what was divided.
    """
    captions = [recipe.caption for recipe in asked]
    by = "caption" if len(set(captions)) > 1 else "clip"
    units = captions if by == "caption" else [str(number) for number in range(len(asked))]
    sizes = {unit: units.count(unit) for unit in units}
    want, held = share * len(units), 0
    chosen: set[str] = set()
    # The last first: those are the ones that a set of few clips has no second clip of.
    place = {unit: number for number, unit in enumerate(sizes)}
    for unit in sorted(sizes, key=lambda unit: (abs(sizes[unit] - want), -place[unit])):
        nearer = abs(held + sizes[unit] - want) < abs(held - want)
        if not chosen or (nearer and len(chosen) < len(sizes) - 1):
            chosen.add(unit)
            held += sizes[unit]
    return ["test" if unit in chosen else "train" for unit in units], by


def _ways(name: str) -> tuple[str, ...]:
    known = DESCRIPTIONS.get(name.casefold())
    if known or name not in genre_names():
        return known or ()
    styles = [style.caption for genre in load_genre(name).genres for style in genre.styles]
    if len(styles) >= LEAST:
        return tuple(styles)
    return tuple(", ".join(filter(None, (style, colour))) for colour in COLOURS for style in styles)

"""Titles for songs: made from the recipe, so that a song is called the same wherever and whenever it leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from optimizer.music import parse_key
from optimizer.recipe import Recipe
from optimizer.song import Song

_BRIGHT = (
    "Amber Apricot Brass Bright Buoyant Candid Cobalt Copper Coral Daylight Dazzling Early Easy Electric Emerald "
    "Endless Feather First Flying Gentle Gilded Glass Golden Grand Honey Indigo Ivory Jasmine Kind Lemon Light Lucky "
    "Marigold Mellow Morning Open Orange Paper Pearl Playful Quick Radiant Rising River Ruby Running Saffron Silk "
    "Silver Simple Singing Solar Spring Summer Sunlit Sweet Tall Tender Turquoise Velvet Warm White Wide Wild Young"
)

_DARK = (
    "Ashen Autumn Black Blue Broken Burning Carbon Cinder Cold Crimson Crooked Dark Deep Distant Dusky Faded Falling "
    "Fallen Frozen Ghost Granite Grey Heavy Hidden Hollow Hushed Iron Lantern Late Lone Lonely Lost Lunar Magnetic "
    "Marble Midnight Mirror Neon Night Northern Obsidian Onyx Pale Phantom Quiet Rainy Restless Salt Scarlet Secret "
    "Shadow Silent Slate Sleepless Smoky Static Steel Stone Stormy Tidal Twilight Violet Wandering Winter Wolf Wounded"
)

_SLOW = (
    "Afterglow Anchor Arbour Balcony Bay Canopy Candle Chapel Cloud Coast Cove Cradle Delta Dew Drift Dune Echo Ember "
    "Estuary Fjord Garden Glade Harbour Haze Hearth Horizon Island Lagoon Letter Lullaby Meadow Mist Monsoon Moss "
    "Nocturne Orchard Pier Porch Rain Reverie Sail Shelter Shore Slumber Snow Sundial Tide Valley Veranda Willow Window"
)

_STEADY = (
    "Alley Arcade Avenue Bazaar Bridge Caravan Circle City Compass Corner Courtyard Crossing District Festival Figure "
    "Gate Ladder Market Mosaic Neighbour Palace Parade Passage Path Pattern Plaza Postcard Promise Quarter Ribbon "
    "Rooftop Route Signal Skyline Square Stair Station Story Street Terrace Theatre Ticket Tower Traffic Tram Village "
    "Vista Voyage Walk Wheel"
)

_FAST = (
    "Arrow Avalanche Blaze Bolt Cascade Chase Circuit Comet Current Cyclone Dash Dynamo Engine Eruption Falcon Fever "
    "Firework Flare Flight Frenzy Gallop Horses Hurricane Ignition Jet Lightning Locomotive Meteor Motor Orbit Piston "
    "Pulse Racer Rally Rapids Riot Rocket Rush Satellite Sparks Sprint Stampede Surge Thunder Torch Turbine Velocity "
    "Volcano Voltage Whirlwind"
)

_LINKS = "none none none in of beyond"
"""Half of the names end in a place."""

_PLACES = "Hills Valley City Sea Desert Forest Rain North South East West Plains Islands Delta Clouds Night"


def titles(songs: Iterable[Song]) -> dict[tuple[str, int], str]:
    """Name songs, each name once per study.

    Parameters
    ----------
    songs : iterable of Song
        All songs of the studies concerned: when two recipes would get the same name, the later trial gets another,
        so leaving songs out may change a name.

    Returns
    -------
    dict
        By study and trial number.
    """
    named: dict[tuple[str, int], str] = {}
    taken: dict[str, set[str]] = {}
    for song in sorted(songs, key=lambda song: (song.study, song.number)):
        if (song.study, song.number) in named:
            continue
        used = taken.setdefault(song.study, set())
        attempt = 0
        while (name := draw(song.recipe, attempt)) in used:
            attempt += 1
        used.add(name)
        named[song.study, song.number] = name
    return named


def draw(recipe: Recipe, attempt: int = 0) -> str:
    """Draw the name of a recipe: dark words for minor keys, fast ones for fast tempi, the choice by its digest.

    Parameters
    ----------
    recipe : Recipe
    attempt : int
        Each gives another name; from 64 on the number is written out, so that no study can run out of names.
    """
    bits = int.from_bytes(hashlib.sha256(f"{recipe.digest}:{attempt}".encode()).digest())

    def pick(words: str) -> str:
        nonlocal bits
        choices = words.split()
        bits, index = divmod(bits, len(choices))
        return choices[index]

    adjectives = _DARK if parse_key(recipe.key).mode == "minor" else _BRIGHT
    nouns = _SLOW if recipe.bpm < 95 else _STEADY if recipe.bpm < 122 else _FAST
    name = f"{pick(adjectives)} {pick(nouns)}"
    link = pick(_LINKS)
    if link != "none":
        name = f"{name} {link} the {pick(_PLACES)}"
    return name if attempt < 64 else f"{name} {attempt}"

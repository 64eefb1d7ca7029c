"""The policies that benchmarks/search.py compares; each spends a world's songs one by one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import optuna
from landscape import World
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from optimizer.samplers import learn
from optimizer.samplers.features import Effects
from optimizer.samplers.grid import Grid
from optimizer.samplers.model import PUBLISHED, Model
from optimizer.samplers.observation import History, Observation
from optimizer.samplers.policy import Policy

Array = NDArray[np.float64]
TEMPI = (84, 96, 110, 124, 138, 152, 160, 168, 176, 184)


@dataclass
class Field:
    """A world being searched: gives the score of any recipe's next take.

    Attributes
    ----------
    world : World
    scores : float array [shape=(genres, recipes, takes)]
    tempi : sequence of sequences of int
        BPMs of each genre.
    others : list of pairs of arrays
        Recipes and scores of other genres' random sweeps.
    """

    world: World
    scores: Array
    tempi: list[list[int]]
    others: list[tuple[Array, Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shape = self.world.surface.shape[1:]
        self.genres = self.world.surface.shape[0]
        self.taken = np.zeros(self.scores.shape[:2], dtype=int)
        self.asked: list[tuple[int, int]] = []
        self.heard: list[float] = []

    def song(self, genre: int, recipe: int) -> float:
        """Make a song and return its score."""
        score = float(self.scores[genre, recipe, self.taken[genre, recipe] % self.scores.shape[2]])
        self.taken[genre, recipe] += 1
        self.asked.append((genre, recipe))
        self.heard.append(score)
        return score

    def spaces(self) -> tuple[dict[str, tuple[object, ...]], dict[str, dict[str, tuple[object, ...]]] | None]:
        """Return search space and subspaces as the samplers take them."""
        styles, bpms, keys = self.shape
        own = {
            str(genre): {
                "genre": (str(genre),),
                "style": tuple(f"{genre}/{style}" for style in range(styles)),
                "bpm": tuple(self.tempi[genre][:bpms]),
                "key": tuple(f"key {key}" for key in range(keys)),
            }
            for genre in range(self.genres)
        }
        if self.genres == 1:
            return {name: values for name, values in own["0"].items() if name != "genre"}, None
        union = {name: tuple(dict.fromkeys(v for space in own.values() for v in space[name])) for name in own["0"]}
        return union, own


Runs = Callable[[Field, int, int], None]
"""Given a field, how many songs, and a seed: spend them."""


def random_recipes(field: Field, songs: int, seed: int) -> None:
    """Draw every recipe at random."""
    random = np.random.default_rng([seed, 11])
    recipes = field.scores.shape[1]
    for _ in range(songs):
        field.song(int(random.integers(field.genres)), int(random.integers(recipes)))


def grid(field: Field, songs: int, seed: int) -> None:
    """Walk over the grid without repeats, the genres in turn."""
    random = np.random.default_rng([seed, 12])
    recipes = field.scores.shape[1]
    orders = [random.permutation(recipes) for _ in range(field.genres)]
    for number in range(songs):
        genre, step = number % field.genres, number // field.genres
        field.song(genre, int(orders[genre][step % recipes]))


def recipe(field: Field, songs: int, seed: int) -> None:
    """The published recipe: sweep at random, then draw from the values that looked best.

    The sweep takes two thirds of the songs, 20 per genre at most. Then the three best genres by mean score; in each,
    the two best styles, two best BPMs and three best keys, each judged by the mean of the songs that have them.
    """
    random = np.random.default_rng([seed, 13])
    sweep = min(20 * field.genres, 2 * songs // 3)
    grid(field, sweep, seed)
    genres = np.array([genre for genre, _ in field.asked])
    levels = np.array(np.unravel_index([point for _, point in field.asked], field.shape)).T
    scores = np.array(field.heard)
    best = sorted(set(genres.tolist()), key=lambda genre: -scores[genres == genre].mean())[:3]
    liked = {
        genre: [
            sorted(
                set(levels[genres == genre, column].tolist()),
                key=lambda level: -scores[(genres == genre) & (levels[:, column] == level)].mean(),
            )[:count]
            for column, count in enumerate((2, 2, 3))
        ]
        for genre in best
    }
    for _ in range(songs - sweep):
        genre = best[random.integers(len(best))]
        point = tuple(values[random.integers(len(values))] for values in liked[genre])
        field.song(genre, int(np.ravel_multi_index(point, field.shape)))


def oracle(field: Field, songs: int, seed: int) -> None:
    """Know the surface and the noise, and spend every song on the recipe with the best upper end."""
    reach = math.sqrt(2 * math.log(songs + 1)) if field.genres > 1 else 0.0
    worth = field.world.surface.reshape(field.genres, -1) + reach * field.world.noise[:, None]
    genre, point = np.unravel_index(int(worth.argmax()), worth.shape)
    for _ in range(songs):
        field.song(int(genre), int(point))


def ours(field: Field, songs: int, seed: int, *, flight: int = 1) -> None:
    """`TopKSampler`'s policy, without the storage between (tests/samplers proves that both propose the same)."""
    space, subspaces = field.spaces()
    _spend(field, songs, Policy(Grid(space, subspaces), seed, songs), flight)


class Prototype(Policy):
    """The published prototype's rule: two standard deviations of curiosity to the end."""

    def curiosity(self, begun: int) -> float:
        """Return the width of the confidence bound."""
        return 2.0


def published_model(field: Field, songs: int, seed: int) -> None:
    """The published prototype: the same model with its sizes and noise as fitted, two sds of curiosity, no sweep."""
    space, subspaces = field.spaces()
    model = Model(sizes=((PUBLISHED, 0.0),), learned=True)
    _spend(field, songs, Prototype(Grid(space, subspaces), seed, None, explore=0, model=model))


def of_unknown_length(field: Field, songs: int, seed: int) -> None:
    """Ours, not told how many songs there will be."""
    space, subspaces = field.spaces()
    _spend(field, songs, Policy(Grid(space, subspaces), seed, None))


def told(field: Field, songs: int, seed: int) -> None:
    """Ours, told how large the world's effects and noise are: what no model of this kind can know before."""
    style, bpm, key, *pairs, combo = field.world.sizes
    effects = Effects(style=style, bpm=bpm, key=key, pair=float(np.sqrt(np.mean(np.square(pairs)))), combo=combo)
    model = Model(sizes=((effects, 0.0),), noise=float(field.world.noise[0]), noise_songs=1e6, learned=True)
    space, subspaces = field.spaces()
    _spend(field, songs, Policy(Grid(space, subspaces), seed, songs, model=model))


def with_learned_sizes(field: Field, songs: int, seed: int) -> None:
    """Ours, with sizes of effects and noise learned from the other genres."""
    grid = Grid(field.spaces()[0])
    studies = [(grid, _observations(grid, recipes, scores)) for recipes, scores in field.others]
    _spend(field, songs, Policy(grid, seed, songs, model=learn(studies)))


def with_carried_effects(field: Field, songs: int, seed: int) -> None:
    """Ours, with the other genres' songs taken for songs of this one, each genre's mean taken off."""
    grid = Grid(field.spaces()[0])
    prior = [
        one
        for recipes, scores in field.others
        for one in _observations(grid, recipes, scores - scores.mean() + field.world.surface.mean(), -1)
    ]
    _spend(field, songs, Policy(grid, seed, songs, prior=prior))


def after_earlier_songs(field: Field, songs: int, seed: int, *, explore: int | None = None) -> None:
    """Ours, beginning with twenty songs of this genre, of random recipes; with its usual sweep, or another."""
    grid = Grid(field.spaces()[0])
    recipes = np.random.default_rng([seed, 5]).permutation(field.scores.shape[1])[:20]
    # No search takes so many of one recipe that it would come to the last one.
    prior = _observations(grid, recipes, field.scores[0, recipes, -1], -1)
    _spend(field, songs, Policy(grid, seed, songs, explore=explore, prior=prior))


def _observations(grid: Grid, recipes: Array, scores: Array, sign: int = 1) -> list[Observation]:
    block = grid.blocks[0]
    return [
        Observation(block.point(int(recipe)), float(score), sign * (number + 1))
        for number, (recipe, score) in enumerate(zip(recipes, scores, strict=True))
    ]


def _spend(field: Field, songs: int, policy: Policy, flight: int = 1) -> None:
    observations: list[Observation] = []
    for first in range(0, songs, flight):
        pending: list[Mapping[str, object]] = []
        for number in range(first, min(first + flight, songs)):
            pending.append(policy.next(History(number, tuple(observations), tuple(pending))).params)
        for number, params in enumerate(pending, first):
            place = policy.grid.find(params)
            assert place is not None
            observations.append(Observation(params, field.song(*place), number))


def with_optuna(factory: Callable[[int], optuna.samplers.BaseSampler], flight: int = 1) -> Runs:
    """Return the policy of an Optuna sampler on genre-and-style, BPM and key; all points of that space exist.

    `flight` songs are asked for before they are heard.
    """

    def run(field: Field, songs: int, seed: int) -> None:
        styles, bpms, keys = field.shape
        space = {
            "style": CategoricalDistribution([f"{g}/{s}" for g in range(field.genres) for s in range(styles)]),
            "bpm": CategoricalDistribution(list(range(bpms))),
            "key": CategoricalDistribution(list(range(keys))),
        }
        study = optuna.create_study(direction="maximize", sampler=factory(seed))
        for first in range(0, songs, flight):
            for trial in [study.ask(space) for _ in range(min(flight, songs - first))]:
                genre, style = map(int, trial.params["style"].split("/"))
                point = np.ravel_multi_index((style, trial.params["bpm"], trial.params["key"]), field.shape)
                study.tell(trial, field.song(genre, int(point)))

    return run


def tpe(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's default sampler as it comes."""
    return optuna.samplers.TPESampler(seed=seed)


def tuned_tpe(share: float) -> Callable[[int], optuna.samplers.BaseSampler]:
    """Return TPE with the settings that won the published tuning: multivariate, wider gamma, 100 candidates."""

    def make(seed: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(
            seed=seed,
            multivariate=True,
            n_startup_trials=10,
            gamma=lambda n: math.ceil(share * n),
            n_ei_candidates=100,
        )

    return make


def gp(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's Gaussian process."""
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def nsga2(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's genetic algorithm."""
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=50)


FLIGHTS = (4, 10)
KNOWS_LENGTH = (
    *(f"ours x{flight}" for flight in FLIGHTS),
    *("ours", "told", "recipe", "oracle", "sizes", "effects", "prior", "prior swept"),
)
"""Policies whose songs depend on how many there will be; the others' first songs are those of a shorter run."""


def policies(genres: int) -> dict[str, Runs]:
    """Return the policies by name, in the order of the table."""
    return {
        "random": random_recipes,
        "grid": grid,
        "recipe": recipe,
        "nsga2": with_optuna(nsga2),
        "tpe": with_optuna(tpe),
        "tpe tuned": with_optuna(tuned_tpe(0.3 if genres == 1 else 0.2)),
        "gp": with_optuna(gp),
        "blm": published_model,
        "ours": ours,
        "open": of_unknown_length,
        "told": told,
        "sizes": with_learned_sizes,
        "effects": with_carried_effects,
        "prior": partial(after_earlier_songs, explore=0),
        "prior swept": after_earlier_songs,
        "oracle": oracle,
        **{f"tpe x{flight}": with_optuna(tpe, flight) for flight in FLIGHTS},
        **{f"ours x{flight}": partial(ours, flight=flight) for flight in FLIGHTS},
    }


def timed(run: Runs, field: Field, songs: int, seed: int) -> float:
    """Run a policy and return the processor seconds it took per song."""
    begun = time.process_time()
    run(field, songs, seed)
    return (time.process_time() - begun) / songs

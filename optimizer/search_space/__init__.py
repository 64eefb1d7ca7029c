"""Read and check a search space, enumerate its points, and turn a point into a recipe."""

from optimizer.search_space.reader import estimate_tokens
from optimizer.search_space.shipped import (
    ALL,
    GENRES,
    genre_names,
    load_file,
    load_genre,
    load_genres,
    slug,
    spaces_folder,
)
from optimizer.search_space.space import Choices, Genre, Language, Range, SearchSpace, Style

__all__ = [
    "ALL",
    "GENRES",
    "Choices",
    "Genre",
    "Language",
    "Range",
    "SearchSpace",
    "Style",
    "estimate_tokens",
    "genre_names",
    "load_file",
    "load_genre",
    "load_genres",
    "slug",
    "spaces_folder",
]

"""The calls on MLX that must come at the right moment."""

from acestep.notes import note


class random:
    @staticmethod
    def seed(value):
        note("mlx seed", value=value)


def set_cache_limit(size):
    note("mlx limit", size=size)


def clear_cache():
    note("mlx clear")


def get_active_memory():
    return 1000

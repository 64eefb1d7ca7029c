"""A generator of random numbers, and nothing else of the package it stands in for."""

import random as _random


class random:
    _state = _random.Random()

    @classmethod
    def seed(cls, value):
        cls._state.seed(value)

    @classmethod
    def randint(cls, high):
        return cls._state.randrange(high)

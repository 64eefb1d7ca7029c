"""A generator of random numbers, and nothing else of the package it stands in for."""

import random as _random

_state = _random.Random()


def manual_seed(value):
    _state.seed(value)


def randint(high):
    return _state.randrange(high)


class _Absent:
    @staticmethod
    def is_available():
        return False


cuda = _Absent


class backends:
    mps = _Absent

"""The listening test: blind pairs in a browser, votes that are never lost, and what they say of songs and judges."""

from __future__ import annotations

from optimizer.listening.ballots import Ballot, ballot_id, choose_songs, next_ballot
from optimizer.listening.server import ListeningTest, serve
from optimizer.listening.strengths import Agreement, Strength, agreement, strengths
from optimizer.listening.votes import CHOICES, Side, Vote, VoteFile, read_votes, write_pairs

__all__ = [
    "CHOICES",
    "Agreement",
    "Ballot",
    "ListeningTest",
    "Side",
    "Strength",
    "Vote",
    "VoteFile",
    "agreement",
    "ballot_id",
    "choose_songs",
    "next_ballot",
    "read_votes",
    "serve",
    "strengths",
    "write_pairs",
]

"""A model's files: find them, check them, fingerprint them, fetch them.

Nothing here imports torch; huggingface_hub is imported only when a Hub id is looked up or downloaded.
"""

from __future__ import annotations

from optimizer.checkpoints.download import Progress, download
from optimizer.checkpoints.files import files_of, verify
from optimizer.checkpoints.find import Checkpoint, is_hub_id, local_or_snapshot
from optimizer.checkpoints.fingerprint import WEIGHTS, sha256_of, weights_hash

__all__ = [
    "WEIGHTS",
    "Checkpoint",
    "Progress",
    "download",
    "files_of",
    "is_hub_id",
    "local_or_snapshot",
    "sha256_of",
    "verify",
    "weights_hash",
]

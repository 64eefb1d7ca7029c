"""An ear over a store: hears what is new, recalls what is not, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from optimizer.scoring import prepare
from optimizer.scoring.cache import EmbeddingStore
from optimizer.scoring.ear import MertEar, Unheard
from optimizer.scoring.listener import Listener
from optimizer.scoring.memory import StoredEar


def test_new_songs_are_heard_and_kept_and_known_ones_recalled(
    mert_folder: Path, head_file: Path, songs: list[Path], tmp_path: Path
) -> None:
    spec = prepare("banger", {"encoder": mert_folder, "head": head_file})
    plain = MertEar(spec.config["ear"]).hear(songs)
    with EmbeddingStore(tmp_path / "e.db") as store:
        ear = StoredEar(MertEar(spec.config["ear"]), spec.encoder, store)
        (tmp_path / "broken.wav").write_bytes(b"x")
        mixed = [tmp_path / "missing.wav", songs[0], tmp_path / "broken.wav", songs[1], songs[0]]
        missing, first, broken, second, again = ear.hear(mixed)
        assert isinstance(missing, Unheard) and "No such file" in missing.reason
        assert isinstance(broken, Unheard) and "cannot be read" in broken.reason
        assert isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and isinstance(again, np.ndarray)
        assert np.array_equal(first, plain[0]) and np.array_equal(second, plain[1]) and np.array_equal(again, plain[0])
        assert len(store) == 2
        # What is there is recalled, even where it is not what the encoder would say.
        store.put(store.digest(songs[0]), spec.encoder, np.zeros(32))
        listener = Listener()
        listener.load(dict(spec.config), StoredEar(MertEar(spec.config["ear"]), spec.encoder, store))
        (result,) = listener.score(songs[:1])
        assert result["embedding"] == [0.0] * 32

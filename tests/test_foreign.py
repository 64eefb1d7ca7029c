"""A broken torchaudio beside the models must not matter."""

from __future__ import annotations

import subprocess
import sys


def test_transformers_loads_beside_a_torchaudio_that_does_not(tmp_path):
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libc10_cuda.so: cannot open shared object file')\n")
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from importlib.util import find_spec
assert find_spec("torchaudio").origin.startswith(sys.argv[1])
from optimizer.foreign import hide_torchaudio
hide_torchaudio()
assert find_spec("torchaudio") is None
try:
    import torchaudio
except ModuleNotFoundError:
    print("hidden")
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "hidden\n"


def test_one_that_is_loaded_stays(monkeypatch):
    from optimizer.foreign import hide_torchaudio

    loaded = object()
    monkeypatch.setitem(sys.modules, "torchaudio", loaded)
    hide_torchaudio()
    assert sys.modules["torchaudio"] is loaded

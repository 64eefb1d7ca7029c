"""A stand-in for ACE-Step 1.5; see `tests/rendering/test_acestep_native.py` for what it does not prove."""

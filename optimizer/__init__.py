"""Search ACE-Step's captions, tempi, keys and seeds for songs worth keeping."""

__version__ = "0.1.0"

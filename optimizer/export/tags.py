"""Tags inside the audio files: what a song is called, how it was made and what it scored.

Written here because the tag libraries are under the GPL, which the base install keeps out.

References
----------
.. [1] Nilsson, "ID3 tag version 2.4.0 - Native Frames", 2000.
.. [2] Xiph.Org, "Ogg Vorbis I format specification: comment field and header specification".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optimizer.errors import UsageError
from optimizer.export import flac, id3
from optimizer.export.names import clean, clean_lines
from optimizer.export.playlist import Track
from optimizer.runs import write_atomic

_CODES = (
    "ar:ara az:aze bg:bul bn:ben ca:cat cs:ces da:dan de:deu el:ell en:eng es:spa fa:fas fi:fin fr:fra he:heb hi:hin "
    "hr:hrv ht:hat hu:hun id:ind is:isl it:ita ja:jpn ko:kor la:lat lt:lit ms:msa ne:nep nl:nld no:nor pa:pan pl:pol "
    "pt:por ro:ron ru:rus sa:san sk:slk sr:srp sv:swe sw:swa ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd vi:vie "
    "yue:yue zh:zho"
)

ISO_639_2: Mapping[str, str] = dict(pair.split(":") for pair in _CODES.split())
"""Three-letter codes, which ID3 wants. ``unknown``, the language of instrumentals, is ``zxx``: no words in it."""

NO_WORDS = "zxx"

_ID3_TEXT = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "tracknumber": "TRCK",
    "genre": "TCON",
    "bpm": "TBPM",
    "initialkey": "TKEY",
    "length": "TLEN",
}
"""Tags with a frame of their own; the others become TXXX frames under their names in capitals."""


def tags_of(track: Track, *, total: int) -> dict[str, str]:
    """Return a track's tags, cleaned, by lower-case name; empty ones are left out."""
    song, recipe = track.song, track.song.recipe
    tags = {
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "tracknumber": f"{track.position}/{total}",
        "genre": recipe.genre,
        "bpm": str(recipe.bpm),
        "initialkey": track.short_key,
        "key": recipe.key,
        "camelot": track.camelot,
        "language": ISO_639_2.get(recipe.language, NO_WORDS),
        "comment": recipe.caption,
        "length": str(round(track.seconds * 1000)),
        "style": recipe.style,
        "score": f"{song.value:.4f}",
        "seed": str(recipe.seed),
        "engine": track.engine,
        "model_revision": track.revision,
        "study": song.study,
        "trial": str(song.number),
        "recipe": recipe.digest,
    }
    cleaned = {name: clean(value) for name, value in tags.items()}
    cleaned["lyrics"] = clean_lines(recipe.lyrics)
    return {name: value for name, value in cleaned.items() if value}


def write_tags(path: Path, tags: Mapping[str, str]) -> None:
    """Write tags into a FLAC, MP3 or WAV file in place of those it has; the audio is not touched.

    Raises
    ------
    UsageError
        For another ending, or a file that is not what its ending says.
    """
    content = path.read_bytes()
    try:
        match path.suffix.lower():
            case ".flac":
                tagged = flac.with_comments(content, _vorbis(tags))
            case ".mp3":
                tagged = id3.before_mp3(content, _id3(tags))
            case ".wav":
                tagged = id3.inside_wav(content, _id3(tags))
            case ending:
                raise UsageError(f"{path}: tags are written into .flac, .mp3 and .wav, not {ending!r}.")
    except ValueError as error:
        raise UsageError(f"{path} cannot be tagged: {error}.", next_step="Export with --audio wav instead.") from error
    write_atomic(path, tagged)


def _vorbis(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    named = {name: value for name, value in tags.items() if name not in ("length", "tracknumber")}
    number, _, total = tags.get("tracknumber", "").partition("/")
    named |= {name: value for name, value in (("tracknumber", number), ("tracktotal", total)) if value}
    # Players disagree on which of the two is the comment.
    if "comment" in named:
        named["description"] = named["comment"]
    return [(name.upper(), value) for name, value in named.items()]


def _id3(tags: Mapping[str, str]) -> bytes:
    frames = []
    for name, value in tags.items():
        if name in _ID3_TEXT:
            frames.append(id3.text_frame(_ID3_TEXT[name], value))
        elif name == "language":
            frames.append(id3.text_frame("TLAN", value))
        elif name == "comment":
            frames.append(id3.comment_frame("COMM", "eng", value))
        elif name == "lyrics":
            frames.append(id3.comment_frame("USLT", tags.get("language", NO_WORDS), value))
        else:
            frames.append(id3.user_frame(name.upper(), value))
    return id3.tag(frames)

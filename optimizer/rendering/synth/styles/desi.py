"""Styles of bhangra and bollywood."""

from __future__ import annotations

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_FOUR = ("X...X...X...X...",)
_BACK = ("....X.......X...",)
_CHAAL_BASS = ("X.....x.X...x...", "X..x....X..x..x.", "X.....x...x.X...")
_CHAAL_STICK = ("X.xxX.xxX.xxX.xx", "X.xxx.xXX.xxx.xX", "XxxxX.xxXxxxX.xx")
_KAHERVA = ("X.....x...x.....", "X...x.....x.x...")

BHANGRA = (
    Style(
        "bhangra", "dhol-party", ("dhol", "party", "anthem", "tumbi", "punjabi", "celebration", "brass"), 115, 0.90, "raga",
        (
            Lane("kick-club", _FOUR, -1.0, when="ivco", metre="kick"),
            Lane("dhol-bass", _CHAAL_BASS, 1.0, -0.1, "ivbco"),
            Lane("dhol-stick", _CHAAL_STICK, -4.0, 0.2, "ivbco", metre="hat"),
            Lane("dhol-edge", (".x.x...x.x.x...x", "..xx..xx..xx..xx"), -10.0, 0.4, "vc"),
            Lane("clap-big", _BACK, -6.0, when="vco", metre="snare"),
            Lane("tambourine", ("x.x.x.x.x.x.x.x.",), -16.0, -0.4, "ivbco", metre="hat"),
            Lane("hat-open", ("..x...x...x...x.",), -17.0, 0.3, "c"),
            Lane("snare-roll", ("x.x.x.x.xxxxxxxx",), -12.0, when="b"),
        ),
        (
            Part("808", "bass", ("r---r---r---r-u-", "r-----r-r---r-r-"), 33, -4.0, when="vbco", room=0.0),
            Part("tumbi", "riff", ("x.xxx.x.x.xxx.x.", "xx.xx.xxxx.xx.x.", "x.xx.xx.x.xx.xx."), 74, -5.0, 0.2, "ivbco", room=0.15, front=True),
            Part("pluck", "lead", ("busy",), 69, -10.0, -0.2, "ic", room=0.25, echo=0.25, front=True),
            Part("brass", "chords", ("x.....x.x.......", "x-....x-..x-....", "x..x..x........."), 64, -13.0, 0.0, "bc", room=0.25),
            Part("supersaw", "chords", ("..x-..x-..x-..x-",), 62, -18.0, when="c", chance=0.7),
            Part("pad", "pad", (), 60, -20.0, when="ivk"),
        ),
        fill=("dhol-stick", "dhol-edge", "dhol-stick"), singer="singer-raga", song="push", register=66, swing=0.18, duck=0.3, hall=1.1, wet=0.35, drive=2.5,
    ),
    Style(
        "bhangra", "punjabi-trap", ("trap", "hip-hop", "808", "rap", "street", "ad-libs", "snare"), 100, 0.74, "dark",
        (
            Lane("kick-trap", ("X.....x...x.....", "X..x......x..x..", "X.....x..x......"), 0.0, when="vco", metre="kick"),
            Lane("snare-trap", ("....X.......X...",), -2.0, when="vco", metre="snare", room=0.12),
            Lane("hat-tight", ("x.x.x.x.x.x.xxxx", "xxx.x.xxxxx.x.x.", "x.xxx.x.x.xxxxxx"), -12.0, 0.2, "ivbco", metre="hat"),
            Lane("dhol-bass", _CHAAL_BASS, -4.0, -0.2, "ibc"),
            Lane("dhol-stick", _CHAAL_STICK, -9.0, 0.3, "ibc"),
            Lane("clap", ("....x.......x...",), -10.0, when="c", metre="snare"),
        ),
        (
            Part("808-hard", "bass", ("r-----r---r-----", "r--r------r--r--", "r-----r--r---u--"), 31, -2.0, when="vbco", room=0.0),
            Part("tumbi", "riff", ("x..x..x.x..x..x.", "x.x..x..x.x..x.."), 74, -7.0, 0.15, "ivbco", room=0.2, front=True),
            Part("strings-low", "pad", (), 55, -16.0, when="ivbcko", room=0.35),
            Part("sitar", "counter", (), 67, -16.0, -0.3, "c", 0.6, room=0.35),
        ),
        fill=("dhol-stick", "dhol-bass"), singer="rapper", song="talk", register=57, duck=0.35, hall=1.2, wet=0.35, drive=2.5,
    ),
    Style(
        "bhangra", "traditional", ("traditional", "folk", "wedding", "acoustic", "algoza", "village", "harmonium"), 110, 0.80, "raga",
        (
            Lane("dhol-bass", _CHAAL_BASS, 1.0, -0.1, "ivbcko"),
            Lane("dhol-stick", _CHAAL_STICK, -3.0, 0.2, "ivbco", metre="hat"),
            Lane("dholak-slap", ("..x..x.x..x..x.x", "...x..x....x..xx"), -9.0, -0.4, "vc"),
            Lane("tambourine", ("x.x.x.x.x.x.x.x.", "x..xx..xx..xx..x"), -12.0, 0.4, "ivbco", metre="hat"),
            Lane("clap-dry", ("X...X...X...X...", "....X.......X..."), -7.0, -0.2, "vco", metre="snare", room=0.2),
        ),
        (
            Part("harmonium", "pad", (), 60, -15.0, when="ivbcko", room=0.2),
            Part("harmonium", "drone", ("x---------------",), 48, -15.0, when="ivbcko", room=0.1),
            Part("bass-upright", "bass", ("r---....r---....", "r-------r---f---"), 36, -8.0, when="vbco", room=0.05),
            Part("tumbi", "riff", ("x.xxx.xxx.xxx.xx", "xx.xx.x.xx.xx.x."), 74, -5.0, 0.2, "ivbco", room=0.15, front=True),
            Part("flute", "lead", ("busy",), 76, -10.0, -0.3, "ic", room=0.25, front=True),
        ),
        fill=("dhol-stick", "dholak-slap"), singer="singer-raga", song="even", register=67, swing=0.25, hall=0.8, wet=0.3, drive=1.0,
    ),
    Style(
        "bhangra", "desi-club", ("club", "electronic", "modern", "acid", "drops", "glossy", "festival"), 125, 0.92, "raga",
        (
            Lane("kick-club", _FOUR, 1.0, when="ivco", metre="kick"),
            Lane("clap-big", _BACK, -6.0, when="vco", metre="snare"),
            Lane("dhol-stick", ("X.xxX.xxX.xxX.xx", "..xX..xX..xX..xX"), -6.0, 0.2, "ivbc"),
            Lane("dhol-bass", ("......x.......x.", "...x......x..x.."), -4.0, -0.1, "vc"),
            Lane("hat-open", ("..X...X...X...X.",), -12.0, 0.1, "vco"),
            Lane("hat-tight", ("xxxxxxxxxxxxxxxx",), -19.0, -0.3, "vbc", metre="hat"),
            Lane("snare-roll", ("x.x.x.x.x.x.x.x.x.xxx.xxxxxxxxxx",), -8.0, when="b"),
        ),
        (
            Part("bass-acid", "bass", ("..rr..ru..rr..ru", "rr.ur.rurr.ur.ru"), 33, -5.0, when="ivbco", room=0.0),
            Part("super-stab", "chords", ("x..x..x..x..x...", "..x-..x-..x-..x-"), 64, -12.0, when="bc", room=0.25),
            Part("tumbi", "riff", ("x.xxx.xxx.xxx.x.", "x.xx.xx.x.xx.xxx"), 76, -6.0, 0.2, "ivbco", room=0.2, echo=0.2, front=True),
            Part("lead-saw", "lead", ("busy",), 72, -12.0, -0.1, "c", room=0.3, echo=0.25, front=True),
            Part("pad-bright", "pad", (), 62, -21.0, when="ivk"),
        ),
        fill=("dhol-stick", "snare-roll"), singer="singer-raga", song="push", register=68, duck=0.6, hall=1.4, wet=0.4, drive=3.0,
    ),
)

BOLLYWOOD = (
    Style(
        "bollywood", "festive-dance", ("festive", "dance", "wedding", "dholak", "shehnai", "dhol", "sparkle"), 120, 0.82, "raga",
        (
            Lane("kick-house", _FOUR, -0.5, when="vco", metre="kick"),
            Lane("dholak-bass", _KAHERVA, 0.0, -0.1, "ivbco"),
            Lane("dholak-slap", ("..x.x.xx..x.x.xx", "x.xxx.xxx.xxx.xx"), -6.0, 0.2, "ivbco", metre="hat"),
            Lane("dhol-stick", _CHAAL_STICK, -9.0, 0.35, "c"),
            Lane("clap", _BACK, -7.0, when="vco", metre="snare"),
            Lane("tambourine", ("x.xxx.xxx.xxx.xx",), -16.0, -0.4, "ivbc", metre="hat"),
        ),
        (
            Part("bass-round", "bass", ("r---r-r-r---r-f-", "r--r--r-r--r--a-"), 34, -5.0, when="ivbco", room=0.0),
            Part("harmonium", "chords", ("x-x-x-x-x-x-x-x-", "x--x--x-x--x--x-"), 62, -15.0, -0.2, "ivbco", room=0.2),
            Part("strings-short", "riff", ("x.x.xxx.x.x.xxx.", "x..xx.x.x..xx.x."), 72, -11.0, 0.1, "ivc", room=0.3),
            Part("shehnai", "lead", ("busy",), 72, -10.0, 0.1, "ic", room=0.3, front=True),
            Part("santur", "arp", ("x.xxx.xxx.xxx.xx", "xxxxxxxxxxxxxxxx"), 76, -15.0, 0.4, "bc", room=0.3),
        ),
        fill=("dholak-slap", "dhol-stick"), singer="singer-raga", song="push", register=68, swing=0.14, duck=0.2, hall=1.4, wet=0.4, drive=2.0,
    ),
    Style(
        "bollywood", "hindi-ballad", ("ballad", "romantic", "film", "piano", "bansuri", "orchestra", "cinematic"), 105, 0.48, "ballad",
        (
            Lane("tabla-ge", ("X.....x...x.....", "X.......x.....x."), -4.0, -0.15, "vbc"),
            Lane("tabla-na", ("..x.x...x.x.x...", "....x.x.x...x.x."), -9.0, 0.15, "vbc"),
            Lane("tabla-te", ("......xx......xx", ".x....x..x....x."), -13.0, 0.25, "c"),
            Lane("kick-soft", ("X.......x.......", "X.....x.X......."), -5.0, when="c", metre="kick"),
            Lane("shaker", ("x.x.x.x.x.x.x.x.",), -21.0, 0.3, "vc", metre="hat"),
        ),
        (
            Part("piano", "arp", ("r-x-x-x-r-x-x-x-", "x-x-x-x-x-x-x-x-"), 64, -7.0, when="ivbcko", room=0.3),
            Part("strings", "pad", (), 62, -13.0, when="ibcko", room=0.4),
            Part("bass-upright", "bass", ("r-------r-------", "r-----r-f-------"), 34, -6.0, when="vbco", room=0.05),
            Part("bansuri", "lead", ("long",), 74, -9.0, 0.15, "ick", room=0.45, front=True),
            Part("nylon", "chords", ("..x-..x-..x-..x-",), 64, -15.0, -0.4, "vc", 0.7, room=0.25),
        ),
        fill=("tabla-na", "tabla-ge"), singer="singer-raga", song="even", register=64, hall=2.2, wet=0.55,
    ),
    Style(
        "bollywood", "club-glam", ("club", "glamorous", "pumping", "item", "synth", "filter", "electro"), 126, 0.84, "raga",
        (
            Lane("kick-club", _FOUR, 0.5, when="ivco", metre="kick"),
            Lane("clap-big", _BACK, -6.0, when="vco", metre="snare"),
            Lane("tabla-na", ("x.xxx.x.x.xxx.x.", "..x.xx.x..x.xx.x"), -9.0, 0.3, "ivbc"),
            Lane("tabla-ge", ("......x...x.....", "...x......x....."), -5.0, -0.2, "vc"),
            Lane("hat-open", ("..x...x...x...x.",), -14.0, 0.0, "vco"),
            Lane("hat-tight", ("xoxoxoxoxoxoxoxo",), -18.0, -0.2, "vbc", metre="hat"),
            Lane("snare-roll", ("x.x.x.x.x.x.x.x.x.xxx.xxxxxxxxxx",), -10.0, when="b"),
        ),
        (
            Part("bass-house", "bass", ("..r-..r-..r-..u-", "r-r.u-r.r-r.u-r."), 33, -4.0, when="ivbco", room=0.0),
            Part("strings-short", "chords", ("x..x..x.x..x..x.", "x.x...x.x.x...x."), 67, -13.0, -0.1, "vbc", room=0.3),
            Part("brass", "chords", ("x.............xx", "......x-......x-"), 64, -14.0, 0.1, "c", room=0.25),
            Part("sitar", "riff", ("x.xx..x.x.xx..x.", "x..x.xx.x..x.xx."), 69, -8.0, 0.2, "ivbco", room=0.2, echo=0.25, front=True),
            Part("lead-saw", "lead", ("push",), 72, -14.0, 0.0, "c", room=0.3, front=True),
            Part("pad", "pad", (), 60, -20.0, when="ivbk"),
        ),
        fill=("tabla-na", "snare-roll"), singer="singer-high", song="push", register=69, duck=0.5, hall=1.4, wet=0.4, drive=2.0,
    ),
    Style(
        "bollywood", "hindi-indie", ("indie", "chill", "acoustic", "cajon", "ukulele", "whistled", "rainy"), 108, 0.46, "folk",
        (
            Lane("cajon-bass", ("X.....x.X.......", "X.......X.x....."), -1.0, when="vbco", metre="kick"),
            Lane("cajon-slap", ("....x.......x...", "....x..x....x..."), -8.0, when="vbco", metre="snare"),
            Lane("shaker", ("x.xox.xox.xox.xo",), -17.0, 0.3, "ivbco", metre="hat"),
        ),
        (
            Part("steel", "arp", ("r-x-f-x-r-x-f-x-", "r-xxf-x-r-xxf-x-"), 62, -6.0, -0.2, "ivbcko", room=0.2),
            Part("nylon", "strum", ("x.x...x.x.x...x.",), 69, -14.0, 0.4, "c", room=0.2),
            Part("bass-finger", "bass", ("r-----r-f-------", "r-----..r-----f-"), 34, -6.0, when="vbco", room=0.0),
            Part("whistle", "lead", ("sway",), 79, -13.0, 0.1, "ic", room=0.3, front=True),
            Part("glass", "counter", (), 79, -18.0, 0.3, "c", 0.7, room=0.35),
        ),
        fill=("cajon-slap",), singer="singer-soft", song="even", register=64, hall=1.0, wet=0.35,
    ),
)

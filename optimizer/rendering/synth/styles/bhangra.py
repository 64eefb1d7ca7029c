"""Bhangra: dhol and tumbi, from a village wedding to the club."""

from __future__ import annotations

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_FOUR = ("X...X...X...X...",)
_BACK = ("....X.......X...",)
_CHAAL_BASS = ("X.....x.X...x...", "X..x....X..x..x.", "X.....x...x.X...")
_CHAAL_STICK = ("X.xxX.xxX.xxX.xx", "X.xxx.xXX.xxx.xX", "XxxxX.xxXxxxX.xx")

BHANGRA = (
    Style(
        "bhangra",
        "dhol-party",
        ("dhol", "party", "anthem", "tumbi", "punjabi", "celebration", "brass"),
        115,
        0.90,
        "raga",
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
            Part("808", "bass", ("r---r---r---r-u-", "r-----r-r---r-r-"), 33, -4.0, when="ivbco", room=0.0),
            Part(
                "tumbi",
                "riff",
                ("x.xxx.x.x.xxx.x.", "xx.xx.xxxx.xx.x.", "x.xx.xx.x.xx.xx."),
                74,
                -5.0,
                0.2,
                "ivbco",
                room=0.15,
                front=True,
            ),
            Part(
                "pluck|lead-square|shehnai", "lead", ("busy",), 69, -10.0, -0.2, "ic", room=0.25, echo=0.25, front=True
            ),
            Part(
                "brass",
                "chords",
                ("x.....x.x.......", "x-....x-..x-....", "x..x..x........."),
                64,
                -13.0,
                0.0,
                "bc",
                room=0.25,
            ),
            Part("supersaw", "chords", ("..x-..x-..x-..x-",), 62, -18.0, when="c", chance=0.7),
            Part("pad", "pad", (), 60, -20.0, when="ivk"),
            Part(
                "crowd", "shout", ("............x-x-", "....x-......x-x-"), 60, -11.0, 0.0, "ivc", room=0.25, front=True
            ),
        ),
        fill=("dhol-stick", "dhol-edge", "dhol-stick"),
        singer="singer-raga",
        song="push",
        register=66,
        swing=0.18,
        duck=0.3,
        tone=(-4, 2.0, 1.5),
        hall=1.1,
        wet=0.35,
        drive=2.5,
    ),
    Style(
        "bhangra",
        "punjabi-trap",
        ("trap", "hip-hop", "808", "rap", "street", "ad-libs", "snare"),
        100,
        0.74,
        "dark",
        (
            Lane(
                "kick-trap",
                ("X.....x...x.....", "X..x......x..x..", "X.....x..x......"),
                0.0,
                when="ivco",
                metre="kick",
            ),
            Lane("snare-trap", ("....X.......X...",), -2.0, when="ivco", metre="snare", room=0.12),
            Lane(
                "hat-tight",
                ("x.x.x.x.x.x.xxxx", "xxx.x.xxxxx.x.x.", "x.xxx.x.x.xxxxxx"),
                -12.0,
                0.2,
                "ivbco",
                metre="hat",
            ),
            Lane("dhol-bass", _CHAAL_BASS, -4.0, -0.2, "ibc"),
            Lane("dhol-stick", _CHAAL_STICK, -9.0, 0.3, "ibc"),
            Lane("clap", ("....x.......x...",), -10.0, when="c", metre="snare"),
        ),
        (
            Part(
                "808-hard",
                "bass",
                ("r-----r---r-----", "r--r------r--r--", "r-----r--r---u--"),
                31,
                -2.0,
                when="ivbco",
                room=0.0,
            ),
            Part(
                "tumbi", "riff", ("x..x..x.x..x..x.", "x.x..x..x.x..x.."), 74, -7.0, 0.15, "ivbco", room=0.2, front=True
            ),
            Part("strings-low", "pad", (), 55, -16.0, when="ivbcko", room=0.35),
            Part("sitar", "counter", (), 67, -16.0, -0.3, "c", 0.6, room=0.35),
        ),
        fill=("dhol-stick", "dhol-bass"),
        singer="rapper",
        song="talk",
        register=57,
        duck=0.35,
        tone=(-2.5, 1.5, 2.5),
        hall=1.2,
        wet=0.35,
        drive=2.5,
    ),
    Style(
        "bhangra",
        "traditional",
        ("traditional", "folk", "wedding", "acoustic", "algoza", "village", "harmonium"),
        110,
        0.80,
        "raga",
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
            Part("bass-upright", "bass", ("r---....r---....", "r-------r---f---"), 36, -8.0, when="ivbco", room=0.05),
            Part(
                "tumbi", "riff", ("x.xxx.xxx.xxx.xx", "xx.xx.x.xx.xx.x."), 74, -5.0, 0.2, "ivbco", room=0.15, front=True
            ),
            Part("flute|shehnai", "lead", ("busy",), 76, -10.0, -0.3, "ic", room=0.25, front=True),
            Part(
                "crowd", "shout", ("............x-x-", "....x-......x-x-"), 60, -11.0, 0.0, "vc", room=0.25, front=True
            ),
        ),
        fill=("dhol-stick", "dholak-slap"),
        singer="singer-raga",
        song="even",
        register=67,
        swing=0.25,
        tone=(-3.5, 0.5, 0.5),
        hall=0.8,
        wet=0.3,
        drive=1.0,
    ),
    Style(
        "bhangra",
        "desi-club",
        ("club", "electronic", "modern", "acid", "drops", "glossy", "festival"),
        125,
        0.92,
        "raga",
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
            Part(
                "tumbi",
                "riff",
                ("x.xxx.xxx.xxx.x.", "x.xx.xx.x.xx.xxx"),
                76,
                -6.0,
                0.2,
                "ivbco",
                room=0.2,
                echo=0.2,
                front=True,
            ),
            Part("lead-saw", "lead", ("busy",), 72, -12.0, -0.1, "c", room=0.3, echo=0.25, front=True),
            Part("pad-bright", "pad", (), 62, -21.0, when="ivk"),
            Part(
                "crowd", "shout", ("............x-x-", "....x-......x-x-"), 60, -11.0, 0.0, "bc", room=0.25, front=True
            ),
        ),
        fill=("dhol-stick", "snare-roll"),
        singer="singer-raga",
        song="push",
        register=68,
        duck=0.6,
        tone=(-3.0, 3.0, 2.5),
        hall=1.4,
        wet=0.4,
        drive=3.0,
    ),
)

"""Styles of hip-hop, rnb and latin."""

from __future__ import annotations

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_BACK = ("....X.......X...",)
_DEMBOW = ("...x..x....x..x.",)

HIP_HOP = (
    Style(
        "hip-hop", "boom-bap", ("boom", "bap", "dusty", "sampler", "scratched", "nineties", "basement", "vinyl"), 90, 0.52, "hop",
        (
            Lane("kick-boom", ("X.....x...x.....", "X..x......x..x..", "X.......x.x....."), 0.0, when="ivco", metre="kick"),
            Lane("snare-boom", _BACK, -2.0, when="ivco", metre="snare", room=0.1),
            Lane("hat", ("x.x.x.x.x.x.x.x.", "x.x.x.xox.x.x.xo"), -13.0, 0.1, "ivbco", metre="hat"),
            Lane("hat-open", ("..............x.",), -17.0, 0.1, "vc", 0.6),
        ),
        (
            Part("bass-round", "bass", ("r-----r-..r-....", "r--r......r--a--", "r-------r-r-f---"), 33, -2.0, when="vbco", room=0.0),
            Part("piano", "chords", ("x---..x-..x-....", "x-----x-----x---", "x--x......x-x---"), 60, -9.0, when="ivbco", room=0.15),
            Part("piano-soft", "lead", ("sway",), 72, -11.0, 0.2, "ivc", 1.0, room=0.25),
            Part("pad-dark", "pad", (), 57, -19.0, when="ick"),
        ),
        fill=("snare-boom", "kick-boom"), singer="rapper", song="talk", register=55, swing=0.22, duck=0.15, hall=0.9, wet=0.3, drive=1.5,
    ),
    Style(
        "hip-hop", "dark-strings", ("dark", "cinematic", "strings", "ostinato", "orchestral", "midnight", "tense"), 90, 0.56, "dark",
        (
            Lane("kick-trap", ("X.....x...x.....", "X.........x..x..", "X..x..x........."), 0.0, when="ivco", metre="kick"),
            Lane("clap", _BACK, -4.0, when="ivco", metre="snare"),
            Lane("snare-trap", _BACK, -8.0, when="c", metre="snare"),
            Lane("hat-tight", ("x.x.x.xxx.x.x.x.", "x.x.xxx.x.x.x.xx", "xxx.x.x.xxx.x.x."), -13.0, 0.2, "vbco", metre="hat"),
            Lane("tom-low", ("..............xx",), -9.0, when="vc", chance=0.5, room=0.25),
        ),
        (
            Part("808", "bass", ("r-----r---r-----", "r---------r--r--"), 31, -2.0, when="vbco", room=0.0),
            Part("strings-short", "riff", ("x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x."), 62, -9.0, -0.1, "ivbco", room=0.35),
            Part("strings-low", "pad", (), 52, -14.0, 0.1, "ibcko", room=0.4),
            Part("brass-slow", "power", ("x-------........",), 41, -13.0, when="c", room=0.35),
            Part("choir", "counter", (), 67, -18.0, when="c", chance=0.7, room=0.5),
        ),
        fill=("tom-low", "snare-trap"), singer="rapper", song="talk", register=55, duck=0.25, hall=2.0, wet=0.4, drive=1.0,
    ),
    Style(
        "hip-hop", "jazz-loop", ("jazz", "jazzy", "laid-back", "trumpet", "upright", "brushed", "lazy", "lo-fi"), 84, 0.40, "soul",
        (
            Lane("kick-soft", ("X.....x...x.....", "X..o......x.....", "X.......x.x..o.."), -1.0, when="ivco", metre="kick"),
            Lane("snare-live", ("....x..o.o..x..o", "....x.......x..o"), -6.0, when="ivco", metre="snare", room=0.1),
            Lane("hat-live", ("x.x.x.x.x.x.x.x.", "x.xox.xox.xox.xo"), -16.0, 0.15, "ivbco", metre="hat"),
            Lane("ride", ("x...x..xx...x..x",), -20.0, 0.3, "c", 0.6),
        ),
        (
            Part("bass-upright", "bass", ("r---f---r---a---", "r---t---f---a---", "r---r---f---u---"), 33, -3.0, when="vbco", room=0.03),
            Part("epiano-soft", "chords", ("x-----x---------", "x--x------x-----", "..x---..x-x-----"), 62, -8.0, when="ivbcko", room=0.2),
            Part("brass-slow", "lead", ("sway",), 70, -15.0, 0.2, "ic", 1.0, room=0.35, echo=0.2),
            Part("pad-dark", "pad", (), 57, -21.0, when="ick"),
        ),
        colour=5, fill=("snare-live",), singer="rapper", song="talk", register=55, swing=0.26, hall=1.0, wet=0.35,
    ),
    Style(
        "hip-hop", "street-808", ("808", "street", "trap", "drill", "gritty", "raw", "triplet", "cold"), 92, 0.58, "dark",
        (
            Lane("kick-trap", ("X......x..x.....", "X.....x.....x...", "X..x.......x...."), 0.5, when="vco", metre="kick"),
            Lane("snare-trap", _BACK, -2.0, when="vco", metre="snare"),
            Lane("hat-tight", ("x.x.x.x.xxxxx.x.", "xxx.x.xxx.x.xxxx", "x.x.xxxxx.x.x.xx"), -11.0, 0.15, "ivbco", metre="hat"),
            Lane("hat-open", ("......x.........",), -16.0, 0.2, "vc", 0.6),
            Lane("rim", ("...x......x..x..",), -15.0, -0.3, "c", 0.5),
        ),
        (
            Part("808-hard", "bass", ("r-----...-r-----", "r------r--r--u--", "r--r-------r----"), 29, -1.0, when="vbco", room=0.0),
            Part("bell", "riff", ("x..x..x...x.....", "x.....x..x..x...", "x..x....x..x...."), 72, -11.0, 0.1, "ivbcko", room=0.35, echo=0.3),
            Part("pad-dark", "pad", (), 57, -17.0, when="ivbck", room=0.4),
        ),
        fill=("snare-roll", "snare-trap"), singer="rapper", song="talk", register=54, duck=0.3, hall=1.2, wet=0.35, drive=2.5,
    ),
)

RNB = (
    Style(
        "rnb", "late-night", ("late-night", "silky", "tremolo", "velvet", "finger", "breathy", "city"), 76, 0.34, "soul",
        (
            Lane("kick-soft", ("X......x..x.....", "X.....x...x.....", "X.......x......."), -2.0, when="vco", metre="kick"),
            Lane("rim", _BACK, -9.0, 0.1, "ivco", metre="snare", room=0.2),
            Lane("snap", _BACK, -10.0, -0.2, "vco", metre="snare", room=0.25),
            Lane("hat-tight", ("x.x.x.x.x.x.x.x.", "x.x.x.xox.x.x.x."), -20.0, 0.2, "vbco", metre="hat"),
        ),
        (
            Part("epiano", "chords", ("x-------x-------", "x-----x---------", "x---------x-----"), 60, -6.0, when="ivbcko", room=0.25),
            Part("sub", "bass", ("r-------..r-----", "r-----r---r-----"), 33, -4.0, when="vbco", room=0.0),
            Part("pad-dark", "pad", (), 60, -16.0, when="ivbck", room=0.4),
            Part("epiano-soft", "lead", ("sway",), 74, -11.0, 0.2, "ic", room=0.35, echo=0.3),
        ),
        colour=5, fill=("rim",), singer="singer-soft", song="sway", register=65, swing=0.12, hall=2.0, wet=0.5,
    ),
    Style(
        "rnb", "neo-soul", ("neo-soul", "live", "band", "vintage", "wah", "fretted", "warmth"), 82, 0.42, "soul",
        (
            Lane("kick-live", ("X.....x..x......", "X..x......x.....", "X.....x...x..o.."), -1.0, when="ivco", metre="kick"),
            Lane("snare-live", ("....x..o....x..o", "....x.......x.o."), -6.0, when="ivco", metre="snare"),
            Lane("hat-live", ("x.x.x.x.x.x.x.x.", "x.xox.xox.xox.xo"), -18.0, -0.2, "ivbco", metre="hat"),
            Lane("tambourine", ("....x.......x...",), -19.0, 0.4, "c", 0.6),
        ),
        (
            Part("epiano", "chords", ("x--x------x-x---", "x-----x-..x-----", "..x---x---..x---"), 62, -8.0, when="ivbcko", room=0.15),
            Part("bass-finger", "bass", ("r--r..f-r-..u-a-", "r-----rfu-..r-a-", "r--ru---r-f-..a-"), 33, -4.0, when="ivbco", room=0.02),
            Part("clean", "lead", ("sway",), 72, -12.0, -0.35, "ic", room=0.2),
            Part("clavinet", "chords", ("...x..x....x..x.",), 64, -20.0, 0.35, "c", 0.6, room=0.15),
        ),
        colour=5, fill=("snare-live", "tom-mid"), singer="singer-soft", song="sway", register=64, swing=0.2, hall=0.9, wet=0.35,
    ),
    Style(
        "rnb", "trap-rnb", ("trap", "moody", "hazy", "808", "half-time", "bell", "spacious"), 74, 0.38, "ballad",
        (
            Lane("kick-trap", ("X.......x.......", "X.....x.........", "X..........x...."), -2.0, when="vco", metre="kick"),
            Lane("snare-trap", ("....x.......x...",), -8.0, when="vco", metre="snare", room=0.25),
            Lane("hat-tight", ("x.x.x.xxx.x.x.x.", "x.xxx.x.x.x.xxx.", "x.x.x.x.x.xxxxx."), -17.0, 0.2, "vbco", metre="hat"),
        ),
        (
            Part("808", "bass", ("r-------....r---", "r---------r-----"), 29, -3.0, when="vbco", room=0.0),
            Part("pad", "pad", (), 60, -12.0, when="ivbcko", room=0.45),
            Part("bell", "riff", ("x-....x-....x-..", "x-..x-....x-...."), 72, -13.0, 0.2, "ivbc", room=0.45, echo=0.4),
            Part("chop", "lead", ("sway",), 69, -16.0, -0.2, "ic", room=0.45, echo=0.4),
        ),
        colour=4, fill=("snare-roll",), singer="singer-soft", song="sway", register=64, duck=0.2, hall=2.4, wet=0.5, drive=0.5,
    ),
    Style(
        "rnb", "slow-jam", ("slow", "candlelit", "nylon", "quiet", "gospel", "tender", "fretless"), 68, 0.30, "soul",
        (
            Lane("kick-soft", ("X.......x.......", "X.....x.X......."), -3.0, when="vco", metre="kick"),
            Lane("snare-trap", ("....x.......x...",), -9.0, when="vco", metre="snare", room=0.5),
            Lane("hat-tight", ("x.x.x.x.x.x.x.x.",), -21.0, 0.2, "vbc", metre="hat"),
            Lane("shaker", ("x.xox.xox.xox.xo",), -23.0, -0.3, "c", 0.7),
        ),
        (
            Part("glass", "chords", ("x-------x-------", "x-----x-x-------"), 64, -10.0, 0.1, "ivbcko", room=0.4),
            Part("nylon", "arp", ("x-x-x-x-x-x-x-x-", "r-x-x-x-r-x-x-x-"), 64, -9.0, -0.3, "ivcko", room=0.25),
            Part("bass-round", "bass", ("r-------r-----f-", "r-----r-f-------"), 33, -5.0, when="vbco", room=0.0),
            Part("strings", "pad", (), 62, -15.0, when="bco", room=0.45),
            Part("nylon", "lead", ("sway",), 72, -9.0, 0.15, "ic", room=0.3),
        ),
        colour=5, fill=("tom-mid",), singer="singer-soft", song="sway", register=65, hall=2.4, wet=0.55,
    ),
)

LATIN = (
    Style(
        "latin", "perreo", ("reggaeton", "perreo", "dembow", "club", "swaggering", "air-horn", "sweaty"), 95, 0.70, "latin",
        (
            Lane("kick-club", ("X...X...X...X...",), 0.5, when="ivco", metre="kick"),
            Lane("snare-tight", _DEMBOW, -2.0, when="ivbco", metre="snare"),
            Lane("timbale", ("..............xx", "......x.......x."), -9.0, 0.3, "vc", 0.8, room=0.15),
            Lane("hat", ("x.x.x.x.x.x.x.x.",), -16.0, -0.2, "vbco", metre="hat"),
            Lane("shaker", ("xoxoxoxoxoxoxoxo",), -19.0, 0.4, "c", 0.8),
        ),
        (
            Part("bass-round", "bass", ("r--r--r-r--r--r-", "r--r--f-r--r--r-"), 31, -1.0, when="vbco", room=0.0),
            Part("pluck", "riff", ("x..x..x.x..x..x.", "x.xx..x.x.xx..x."), 69, -9.0, 0.15, "ivbco", room=0.25, echo=0.25),
            Part("stab-deep", "chords", ("...x..x....x..x.",), 60, -14.0, -0.2, "vc", room=0.25),
            Part("pad-dark", "pad", (), 57, -19.0, when="ivbck"),
            Part("lead-square", "lead", ("push",), 74, -16.0, 0.1, "ic", room=0.3, front=True),
        ),
        fill=("timbale", "snare-tight"), singer="singer-low", song="talk", register=58, duck=0.3, hall=1.0, wet=0.3, drive=2.0,
    ),
    Style(
        "latin", "latin-pop", ("pop", "sunny", "nylon", "conga", "trumpet", "romantic", "salsa", "bachata", "seaside"), 100, 0.60, "latin",
        (
            Lane("kick-soft", ("X...X...X...X...", "X.....x.X.....x."), -2.0, when="vco", metre="kick"),
            Lane("rim", ("...x..x....x..x.", "x..x..x...x.x..."), -10.0, 0.2, "vbco", room=0.15),
            Lane("conga-open", ("......xx......xx", "..x...xx..x...xx"), -7.0, -0.3, "vbc", room=0.12),
            Lane("conga-slap", ("....x.......x...",), -9.0, -0.2, "vbc"),
            Lane("bongo-high", ("x.xxx.x.x.xxx.x.", "x.xox.xxx.xox.xx"), -13.0, 0.4, "ivbc"),
            Lane("shaker", ("xoxoxoxoxoxoxoxo", "x.xxx.xxx.xxx.xx"), -17.0, 0.3, "ivbco", metre="hat"),
            Lane("clap-dry", ("....x.......x...",), -12.0, when="c", metre="snare"),
        ),
        (
            Part("bass-finger", "bass", ("r-----f-..r---f-", "r--r--f-r--r--a-", "..r---f-u-------"), 34, -3.0, when="vbco", room=0.0),
            Part("nylon", "arp", ("x-xx-xx-x-xx-xx-", "x.xxx.xxx.xxx.xx"), 66, -7.0, -0.3, "ivbcko", room=0.2),
            Part("piano", "chords", ("x..x..x..x..x.x.", "x.xx.xx..xx.xx.x"), 67, -14.0, 0.2, "c", 0.8, room=0.2),
            Part("brass", "counter", (), 70, -15.0, 0.2, "c", room=0.3),
            Part("nylon", "lead", ("push",), 72, -7.0, 0.2, "ivc", room=0.25, front=True),
        ),
        fill=("bongo-high", "conga-open", "timbale"), singer="singer-high", song="push", register=66, hall=1.2, wet=0.4, drive=0.5,
    ),
    Style(
        "latin", "latin-trap", ("trap", "dark", "808", "deadpan", "eerie", "piano", "shadows"), 95, 0.52, "dark",
        (
            Lane("kick-trap", ("X.....x...x.....", "X..x......x.....", "X......x..x....."), 0.0, when="vco", metre="kick"),
            Lane("snare-trap", ("....X.......X...",), -3.0, when="vco", metre="snare"),
            Lane("hat-tight", ("x.x.x.xxx.x.xxxx", "xxx.x.x.xxx.xxxx", "x.xxx.x.x.x.xxxx"), -12.0, 0.2, "ivbco", metre="hat"),
            Lane("timbale", ("...x..x....x..x.",), -17.0, 0.3, "c", 0.6, room=0.2),
        ),
        (
            Part("808", "bass", ("r-----r---r-----", "r--r------r---u-"), 31, -1.0, when="vbco", room=0.0),
            Part("piano", "riff", ("x--x--x-x--x--x-", "x---x-x---x-x---"), 67, -9.0, 0.1, "ivbcko", room=0.35),
            Part("choir", "pad", (), 60, -18.0, when="ibck", room=0.5),
        ),
        fill=("snare-roll",), singer="singer-low", song="talk", register=56, duck=0.3, hall=1.6, wet=0.4, drive=1.5,
    ),
    Style(
        "latin", "dancehall", ("dancehall", "tropical", "steel-drum", "flute", "riddim", "breezy", "island"), 102, 0.66, "folk",
        (
            Lane("kick-house", ("X...X...X...X...", "X..x..x.X..x..x."), 0.0, when="ivco", metre="kick"),
            Lane("snare-tight", ("...x..x....x..x.", "......x.......x."), -4.0, when="vbco", metre="snare"),
            Lane("block", ("x..x..x...x..x..", "..x..x....x..x.."), -13.0, 0.4, "ivbc"),
            Lane("shaker", ("xoxoxoxoxoxoxoxo",), -16.0, -0.3, "ivbco", metre="hat"),
            Lane("hat-open", ("..x...x...x...x.",), -18.0, 0.1, "c"),
        ),
        (
            Part("bass-round", "bass", ("r--r--r-r-f-..u-", "r--r..r-r--r..f-"), 33, -2.0, when="vbco", room=0.0),
            Part("stab-deep", "chords", ("..x...x...x...x.",), 64, -11.0, -0.2, "ivbco", room=0.2),
            Part("kalimba", "lead", ("push",), 76, -6.0, 0.2, "ivc", room=0.25, front=True),
            Part("flute", "counter", (), 79, -15.0, -0.2, "c", 0.8, room=0.35),
            Part("marimba", "riff", ("x..x..x.x..x..x.",), 72, -12.0, 0.35, "ivc", room=0.25),
        ),
        fill=("timbale", "bongo-high"), singer="singer-low", song="push", register=62, duck=0.2, hall=1.1, wet=0.35, drive=1.0,
    ),
)

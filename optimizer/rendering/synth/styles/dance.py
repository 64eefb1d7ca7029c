"""Styles of edm and pop."""

from __future__ import annotations

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_FOUR = ("X...X...X...X...",)
_OFFS = ("..x...x...x...x.",)
_BACK = ("....X.......X...",)
_ROLL = ("x.x.x.x.x.x.x.x.x.xxx.xxx.xxxxxx",)

EDM = (
    Style(
        "edm", "prog-house", ("house", "progressive", "anthem", "festival", "supersaw", "euphoric", "big-room"), 128, 0.86, "anthem",
        (
            Lane("kick-club", _FOUR, 1.0, when="ivco", metre="kick"),
            Lane("clap-big", _BACK, -6.0, when="vco", metre="snare"),
            Lane("hat-open", _OFFS, -14.0, 0.1, "vco"),
            Lane("hat-tight", ("x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo"), -17.0, -0.2, "ivco", metre="hat"),
            Lane("snare-roll", _ROLL, -9.0, when="b"),
            Lane("kick-house", ("X...X...X...X...X...X...X.X.X.X.",), -3.0, when="b"),
            Lane("ride", _OFFS, -18.0, 0.3, "c", 0.5),
            Lane("shaker", ("xoxxxoxxxoxxxoxx",), -21.0, 0.4, "vc", 0.5),
        ),
        (
            Part("bass-drive", "bass", ("..r-..r-..r-..r-", "..r-r-r-..r-r-r-", "..r-..u-..r-..u-"), 31, -4.0, when="vco", room=0.0),
            Part("sub", "bass", ("r---r---r---r---",), 31, -7.0, when="ick", room=0.0),
            Part("supersaw", "chords", ("x--x--x---x--x--", "x-----x-----x---", "x--x--x-x-x-x---"), 64, -12.0, when="bc", room=0.35),
            Part("pad-bright", "pad", (), 62, -19.0, when="ivbk", room=0.4),
            Part("pluck", "arp", ("x.xx.xx.x.xx.xx.", "x-x-x-x-x-x-x-x-", "xxxxxxxxxxxxxxxx"), 72, -10.0, 0.2, "ivbc", room=0.25, echo=0.4),
            Part("lead-saw", "lead", ("push",), 72, -11.0, 0.0, "cbv", room=0.35, echo=0.35, front=True),
        ),
        fill=("snare-roll", "snare-trap"), duck=0.75, hall=2.0, wet=0.55, drive=2.5,
    ),
    Style(
        "edm", "deep-house", ("deep", "late-night", "rhodes", "smoky", "dub", "lounge", "warm"), 123, 0.66, "deep",
        (
            Lane("kick-house", _FOUR, 0.0, when="ivcko", metre="kick"),
            Lane("clap", ("....x.......x...",), -10.0, when="vco", metre="snare"),
            Lane("rim", ("...x..x....x..x.", "..x....x..x....x"), -15.0, 0.3, "vc"),
            Lane("hat-open", _OFFS, -16.0, 0.1, "vco"),
            Lane("hat", ("x.oxx.oxx.oxx.ox", "xo.xxo.xxo.xxo.x"), -19.0, -0.2, "ivbco", metre="hat"),
            Lane("shaker", ("oxoxoxoxoxoxoxox",), -21.0, 0.4, "ivbc", 0.6),
            Lane("conga-open", ("......x..x....x.",), -14.0, -0.4, "vc", 0.5, room=0.2),
        ),
        (
            Part("bass-round", "bass", ("r--r--r-..r-r-u-", "r-..r--r..r-..f-", "r--r..r-r--r..u-"), 33, -2.0, when="vbco", room=0.0),
            Part("epiano", "chords", ("x--x--..x--x--..", "..x---x-..x---x-", "x-----x-..x-x---"), 62, -9.0, when="ivbco", room=0.3, echo=0.35),
            Part("stab-deep", "chords", ("...x..x....x..x.", "..x..x....x..x.."), 64, -14.0, 0.2, "c", room=0.5, echo=0.5),
            Part("pad-dark", "pad", (), 60, -18.0, when="ivbcko", room=0.4),
            Part("pluck-soft", "lead", ("sway",), 72, -12.0, 0.1, "vc", room=0.35, echo=0.45, front=True),
        ),
        colour=5, fill=("rim", "conga-open"), swing=0.16, duck=0.45, hall=1.6, wet=0.5, drive=0.5,
    ),
    Style(
        "edm", "melodic-techno", ("techno", "dark", "brooding", "warehouse", "hypnotic", "trance", "acid"), 128, 0.76, "dark",
        (
            Lane("kick-techno", _FOUR, 1.0, when="ivcko", metre="kick"),
            Lane("hat-open", _OFFS, -14.0, 0.0, "vco"),
            Lane("hat-tight", ("xxxxxxxxxxxxxxxx", "xox.xox.xox.xox."), -20.0, -0.3, "vbc", metre="hat"),
            Lane("clap-dry", _BACK, -11.0, when="c", metre="snare"),
            Lane("rim", ("x..x..x..x..x...", "..x..x..x..x..x."), -17.0, 0.4, "vbc", 0.7, room=0.3),
            Lane("tom-low", ("......x.......x.", "...x......x....."), -12.0, -0.2, "vc", 0.7, room=0.2),
            Lane("snare-roll", _ROLL, -14.0, when="b"),
        ),
        (
            Part("bass-reese", "bass", ("..rr..rr..rr..rr", ".rrr.rrr.rrr.rrr", "..r-..r-..r-.rr-"), 29, -3.0, when="vbcko", room=0.0),
            Part("pluck-long", "arp", ("x.xx.x.xx.xx.x.x", "x..x..x..x..x.x.", "xx.xx.xxxx.xx.xx"), 60, -7.0, 0.0, "ivbcko", room=0.3, echo=0.45),
            Part("pad-dark", "pad", (), 57, -14.0, when="ivbck", room=0.5),
            Part("bell", "counter", (), 76, -17.0, 0.3, "ck", 0.8, room=0.6, echo=0.4),
            Part("lead-square", "lead", ("long",), 67, -16.0, -0.1, "c", 0.8, room=0.45, echo=0.45, front=True),
        ),
        fill=("tom-low", "tom-mid"), duck=0.65, hall=2.4, wet=0.6, drive=2.0,
    ),
    Style(
        "edm", "future-bass", ("future", "bass", "colourful", "wobble", "chops", "kawaii", "trap"), 140, 0.78, "anthem",
        (
            Lane("kick-trap", ("X.......x.......", "X.....x...x....."), 0.0, when="vco", metre="kick"),
            Lane("snare-trap", ("........X.......",), -3.0, when="vc", metre="snare", room=0.2),
            Lane("clap-big", ("........X.......",), -8.0, when="c", metre="snare"),
            Lane("hat", ("x.x.x.x.x.x.xxxx", "x.x.x.xxx.x.x.x.", "x.x.xxx.x.x.x.xx"), -15.0, 0.2, "ivbc", metre="hat"),
            Lane("kick-house", _FOUR, -3.0, when="b"),
            Lane("snare-roll", _ROLL, -9.0, when="b"),
            Lane("hat-open", ("x...x...x...x...",), -18.0, -0.2, "c"),
        ),
        (
            Part("808", "bass", ("r-----r---r-----", "r-------r--r--r-"), 31, -3.0, when="vco", room=0.0),
            Part("wobble", "chords", ("x-----x---x-----", "x--x--x---x-x---", "x---x--x--x-x---"), 65, -10.0, when="bc", room=0.3),
            Part("pluck", "arp", ("x.x.x.x.x.x.x.x.", "x.xx.xx.x.xx.xx."), 76, -14.0, 0.3, "vbc", room=0.3, echo=0.35),
            Part("pad-bright", "pad", (), 62, -18.0, when="ivbk", room=0.4),
            Part("chop", "lead", ("push",), 72, -10.0, 0.0, "vc", room=0.4, echo=0.35, front=True),
            Part("marimba", "arp", ("x-..x-x-..x-x-x-", "x.x...x.x.x...x."), 72, -14.0, -0.3, "iv", 0.8, room=0.3),
        ),
        colour=4, fill=("snare-roll", "tom-high"), duck=0.6, hall=1.8, wet=0.5, drive=2.0,
    ),
)

POP = (
    Style(
        "pop", "summer-pop", ("summer", "bright", "chorused", "marimba", "sunny", "youthful", "beach"), 120, 0.60, "anthem",
        (
            Lane("kick-soft", ("X.....x.X.......", "X...X...X...X...", "X.....x.X.x....."), -1.0, when="ivco", metre="kick"),
            Lane("snap", _BACK, -8.0, 0.1, "ivco", metre="snare", room=0.2),
            Lane("clap", _BACK, -9.0, when="c", metre="snare"),
            Lane("shaker", ("xoxoxoxoxoxoxoxo", "x.xox.xox.xox.xo"), -18.0, 0.3, "ivbc", metre="hat"),
            Lane("hat", ("x.x.x.x.x.x.x.x.",), -19.0, -0.2, "vbc", metre="hat"),
        ),
        (
            Part("bass-round", "bass", ("r-r-..r-r-r-..f-", "r--r..r-r--r..u-"), 33, -4.0, when="ivbco", room=0.0),
            Part("clean", "chords", ("x..x..x..x..x.x.", "..x...x...x...x.", "x.xx..x.x.xx..x."), 64, -13.0, -0.4, "ivbco", room=0.25),
            Part("marimba", "lead", ("push",), 74, -8.0, 0.2, "ivc", room=0.25, front=True),
            Part("pad", "pad", (), 60, -19.0, when="vbck", room=0.35),
            Part("pluck", "arp", ("x.x.x.x.x.x.x.x.",), 76, -17.0, 0.4, "c", 0.7, room=0.3, echo=0.3),
        ),
        fill=("tom-high", "snare-tight"), singer="singer-high", song="push", register=69, duck=0.15, hall=1.3, wet=0.45, drive=0.5,
    ),
    Style(
        "pop", "club-dance", ("club", "dance", "pumping", "rubbery", "glossy", "risers"), 124, 0.72, "anthem",
        (
            Lane("kick-house", _FOUR, 0.5, when="ivco", metre="kick"),
            Lane("clap", _BACK, -6.0, when="vco", metre="snare"),
            Lane("hat-open", _OFFS, -15.0, 0.1, "vco"),
            Lane("hat", ("xoxoxoxoxoxoxoxo", "x.xxx.xxx.xxx.xx"), -19.0, -0.2, "vbc", metre="hat"),
            Lane("snare-roll", _ROLL, -11.0, when="b"),
        ),
        (
            Part("bass-house", "bass", ("r-u-r-u-r-u-r-u-", "..r-..u-..r-..u-", "r.ru..ur.ru.r.u."), 33, -4.0, when="ivbco", room=0.0),
            Part("super-stab", "chords", ("..x...x...x...x.", "x..x..x...x..x..", "x--x--x-..x-..x-"), 64, -12.0, when="vbco", room=0.25),
            Part("pad-bright", "pad", (), 62, -20.0, when="ivbck", room=0.35),
            Part("piano", "chords", ("x--x--x---x-x---",), 64, -15.0, 0.1, "ic", 0.6, room=0.25),
            Part("lead-square", "lead", ("push",), 74, -14.0, 0.1, "ic", room=0.3, echo=0.3, front=True),
        ),
        fill=("snare-roll",), singer="singer-high", song="push", register=69, duck=0.5, hall=1.5, wet=0.45, drive=1.5,
    ),
    Style(
        "pop", "funk-pop", ("funk", "slap", "horn", "disco", "groove", "clavinet", "retro"), 112, 0.62, "soul",
        (
            Lane("kick-live", ("X..x..x.X..x....", "X.....x.X.x.....", "X...X...X...X..."), 0.0, when="ivco", metre="kick"),
            Lane("snare-live", ("....X..o.o..X..o", "....X.......X..."), -4.0, when="ivco", metre="snare"),
            Lane("hat-live", ("x.xxx.xxx.xxx.xx", "xxxxxxxxxxxxxxxx"), -17.0, -0.25, "ivbco", metre="hat"),
            Lane("hat-half", ("......x.......x.",), -17.0, -0.25, "vc"),
            Lane("tambourine", ("....x.......x...", "..x...x...x...x."), -15.0, 0.4, "vc", 0.8, room=0.2),
        ),
        (
            Part("bass-slap", "bass", ("r..ru..r..rur.u.", "r.u.r..ur.u..ra.", "r..r.ru.r..r.ufa"), 33, -4.0, when="ivbco", room=0.02),
            Part("muted", "chords", ("x.xxx.x.x.xx.xx.", ".xx.xx.x.xx.xx.x"), 64, -14.0, -0.5, "ivbco", room=0.12),
            Part("clavinet", "chords", ("x..x..x.x..x.xx.", "x.x..x.xx.x..x.."), 60, -15.0, 0.4, "vc", 0.8, room=0.15),
            Part("brass", "chords", ("x...........xx..", "......x-....x-x-", "x-x.......x-x..."), 67, -14.0, 0.1, "c", room=0.25),
            Part("epiano", "lead", ("push",), 72, -12.0, 0.1, "ic", room=0.2, front=True),
        ),
        colour=4, fill=("snare-live", "tom-high", "tom-mid"), singer="singer-high", song="push", register=67, swing=0.1, hall=0.9, wet=0.35, drive=0.5,
    ),
    Style(
        "pop", "festival-electro", ("festival", "electro", "anthemic", "detuned", "stadium", "fireworks", "marching"), 130, 0.76, "anthem",
        (
            Lane("kick-club", _FOUR, 0.5, when="vco", metre="kick"),
            Lane("clap-big", _BACK, -5.0, when="vco", metre="snare"),
            Lane("snare-roll", _ROLL, -9.0, when="b"),
            Lane("snare-trap", ("....x.......x...",), -9.0, when="c", metre="snare"),
            Lane("hat", ("..x...x...x...x.",), -14.0, 0.1, "ivc"),
            Lane("tom-low", ("x.....x.x.......",), -12.0, 0.0, "iv", 0.6, room=0.25),
        ),
        (
            Part("bass-drive", "bass", ("r-r-r-r-r-r-r-r-", "..r-..r-..r-..r-", "rrr-rrr-rrr-rrr-"), 31, -4.0, when="ivbco", room=0.0),
            Part("supersaw", "chords", ("x-----x-----x---", "x--x--x---x-----", "x-------x-------"), 64, -12.0, when="bc", room=0.35),
            Part("pluck", "arp", ("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx"), 74, -15.0, 0.3, "ivbc", room=0.3, echo=0.3),
            Part("pad-bright", "pad", (), 60, -18.0, when="ivk", room=0.4),
            Part("lead-saw", "lead", ("push",), 72, -13.0, 0.0, "c", room=0.35, echo=0.3, front=True),
        ),
        fill=("snare-roll", "tom-low"), singer="singer-high", song="even", register=69, duck=0.5, hall=2.0, wet=0.5, drive=2.0,
    ),
)

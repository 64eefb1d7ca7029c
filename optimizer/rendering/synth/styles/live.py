"""Styles of rock, acoustic and cpop."""

from __future__ import annotations

from optimizer.rendering.synth.styles.style import Lane, Part, Style

_BACK = ("....X.......X...",)
_EIGHTHS = ("x.x.x.x.x.x.x.x.",)

ROCK = (
    Style(
        "rock", "garage-indie", ("garage", "indie", "jangly", "overdriven", "restless", "tape", "shouted"), 145, 0.58, "rock",
        (
            Lane("kick-live", ("X.....x.X.......", "X...X...X...X...", "X.....x.X.x....."), 0.0, when="ivbco", metre="kick"),
            Lane("snare-rock", _BACK, -3.0, when="ivbco", metre="snare"),
            Lane("hat-half", _EIGHTHS, -15.0, -0.25, "ivb", metre="hat"),
            Lane("ride", _EIGHTHS, -17.0, 0.3, "c", metre="hat"),
        ),
        (
            Part("bass-pick", "bass", ("r-r-r-r-r-r-r-r-", "r-r-r-r-r-r-f-a-"), 33, -4.0, when="ivbco", room=0.03),
            Part("guitar-crunch", "strum", ("x.x.x.x.x.x.x.x.", "x...x.x.x...x.x.", "x.x...x.x.x...x."), 60, -15.0, -0.5, "ivbco", room=0.12),
            Part("guitar-crunch", "riff", ("x.x.x.x.x.x.x.x.", "x.xx..x.x.xx..x."), 69, -13.0, 0.5, "ico", room=0.15),
            Part("guitar-lead", "lead", ("push",), 72, -12.0, 0.2, "ic", room=0.25),
        ),
        fill=("snare-rock", "tom-high", "tom-low"), singer="singer-shout", song="even", register=64, hall=0.7, wet=0.3, drive=2.0,
    ),
    Style(
        "rock", "grunge", ("grunge", "fuzz", "quiet-loud", "heavy", "growling", "raw", "weary"), 125, 0.54, "rock",
        (
            Lane("kick-live", ("X.....x.X.x.....", "X..x..x.X.......", "X.....x...x....."), 0.5, when="vbco", metre="kick"),
            Lane("snare-rock", _BACK, -2.0, when="vbco", metre="snare", room=0.15),
            Lane("hat-live", ("x.x.x.x.x.x.x.x.",), -16.0, -0.25, "iv", metre="hat"),
            Lane("crash", ("x...x...x...x...",), -19.0, 0.3, "c", metre="hat"),
        ),
        (
            Part("bass-pick", "bass", ("r-r-r-r-r-r-r-r-", "r---r-r-r---r-r-"), 31, -3.0, when="vbco", room=0.03),
            Part("clean", "arp", ("x-x-x-x-x-x-x-x-",), 62, -8.0, -0.3, "ivbk", room=0.3),
            Part("guitar-power", "power", ("x---x-x-x---x-x-", "x-x-x-x-x-x-x-x-", "x-----x-x---x---"), 40, -9.0, when="bco", room=0.12),
            Part("guitar-crunch", "pad", (), 60, -18.0, 0.4, "c", room=0.15),
            Part("guitar-fuzz", "lead", ("long",), 69, -13.0, 0.2, "ic", room=0.25),
        ),
        fill=("snare-rock", "tom-mid", "tom-low"), singer="singer-shout", song="even", register=62, hall=1.0, wet=0.35, drive=2.5,
    ),
    Style(
        "rock", "post-punk", ("post-punk", "angular", "wiry", "disco", "cowbell", "staccato", "danceable", "cold"), 140, 0.62, "dark",
        (
            Lane("kick-live", ("X...X...X...X...", "X.......X.x....."), 0.0, when="ivbco", metre="kick"),
            Lane("snare-live", _BACK, -3.0, when="ivbco", metre="snare"),
            Lane("hat-tight", ("x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx"), -15.0, -0.2, "ivbco", metre="hat"),
            Lane("hat-open", ("..x...x...x...x.",), -16.0, -0.2, "c"),
            Lane("cowbell", ("x...x...x...x...",), -16.0, 0.4, "c", 0.6),
        ),
        (
            Part("bass-pick", "bass", ("r-r-u-r-r-r-u-f-", "r-r-f-u-r-r-t-f-", "r-u-r-u-r-u-t-a-"), 38, -3.0, when="ivbco", room=0.04),
            Part("muted", "chords", ("..x...x...x..xx.", "x..x..x...x..x..", "..x.x...x.x...x."), 64, -8.0, -0.4, "ivbco", room=0.15),
            Part("guitar-crunch", "riff", ("x..x..x.x..x..x.", "x.x..x..x.x..x.."), 67, -15.0, 0.4, "vc", room=0.2),
            Part("lead-square", "lead", ("even",), 72, -17.0, 0.1, "ic", room=0.3, echo=0.25),
            Part("pad-dark", "pad", (), 60, -19.0, when="ck"),
        ),
        fill=("snare-live", "tom-high"), singer="singer-low", song="even", register=57, hall=0.9, wet=0.35, drive=1.0,
    ),
    Style(
        "rock", "arena-blues", ("arena", "blues", "bluesy", "hammond", "swaggering", "solo", "seventies", "valve"), 128, 0.60, "rock",
        (
            Lane("kick-live", ("X.....x.X.......", "X.....x.X..x....", "X...X...X...X..."), 0.5, when="ivbco", metre="kick"),
            Lane("snare-rock", _BACK, -2.0, when="ivbco", metre="snare", room=0.2),
            Lane("hat-half", _EIGHTHS, -16.0, -0.2, "ivb", metre="hat"),
            Lane("ride", _EIGHTHS, -17.0, 0.3, "c", metre="hat"),
            Lane("cowbell", ("x...x...x...x...",), -15.0, 0.4, "c", 0.7),
        ),
        (
            Part("bass-finger", "bass", ("r-r-f-r-r-r-u-a-", "r---r-f-u---f-a-", "r-r-r-r-t-t-f-a-"), 33, -3.0, when="ivbco", room=0.03),
            Part("guitar-power", "power", ("x--x--x---x-x---", "x---..x-x-..x---", "x-x-..x-..x-x---"), 40, -11.0, when="ivco", room=0.15),
            Part("organ", "pad", (), 62, -17.0, 0.3, "bcko", room=0.2),
            Part("guitar-lead", "lead", ("busy",), 72, -11.0, 0.1, "ic", room=0.3, front=True),
        ),
        fill=("tom-high", "tom-mid", "tom-low"), singer="singer-shout", song="push", register=64, swing=0.08, hall=1.6, wet=0.4, drive=2.0, five=True,
    ),
)

ACOUSTIC = (
    Style(
        "acoustic", "campfire-folk", ("campfire", "fingerpicked", "steel-string", "harmonica", "stomp", "thumb"), 100, 0.36, "folk",
        (
            Lane("kick-stomp", ("X.......X.......", "X...x...X...x..."), -7.0, when="vbco", metre="kick"),
            Lane("tambourine", ("....x.......x...",), -22.0, 0.3, "c", 0.7, "snare"),
        ),
        (
            Part("steel", "arp", ("r-x-f-x-r-x-f-x-", "r-xxf-x-r-xxf-x-", "r-x-fxx-r-x-fxx-"), 62, -3.0, -0.1, "ivbcko", room=0.15),
            Part("accordion", "lead", ("sway",), 74, -15.0, 0.25, "ic", 1.0, room=0.25),
            Part("banjo", "arp", ("x.x.x.x.x.x.x.x.",), 67, -16.0, 0.4, "c", 0.7, room=0.15),
            Part("bass-upright", "bass", ("r-------f-------",), 34, -10.0, when="co", chance=0.7),
        ),
        fill=(), singer="singer-low", song="even", register=60, hall=0.6, wet=0.25,
    ),
    Style(
        "acoustic", "indie-folk", ("dreamy", "pastoral", "mandolin", "brushed", "choir", "misty", "hazy"), 100, 0.36, "ballad",
        (
            Lane("brush", ("....x.......x...", "..x.x...x.x.x..."), -13.0, 0.1, "vbco", metre="snare", room=0.3),
            Lane("kick-soft", ("X.......X.......", "X.......x.x....."), -8.0, when="vbco", metre="kick"),
            Lane("shaker", ("x.x.x.x.x.x.x.x.",), -22.0, 0.3, "c", 0.7, "hat"),
        ),
        (
            Part("steel", "arp", ("x-x-x-x-x-x-x-x-", "r-x-x-x-f-x-x-x-"), 64, -5.0, -0.3, "ivbcko", room=0.35),
            Part("mandolin", "arp", ("x.x.x.x.x.x.x.x.", "..x...x...x...x."), 74, -14.0, 0.4, "vc", 0.8, room=0.35),
            Part("cello", "counter", (), 52, -14.0, 0.15, "vbco", room=0.4),
            Part("choir", "pad", (), 62, -20.0, when="bco", room=0.5),
            Part("bass-finger", "bass", ("r-------r-------",), 34, -9.0, when="vbco"),
            Part("whistle", "lead", ("long",), 74, -15.0, 0.1, "ic", 1.0, room=0.45),
        ),
        fill=(), singer="singer-soft", song="even", register=66, hall=2.2, wet=0.5,
    ),
    Style(
        "acoustic", "confessional", ("confessional", "stripped", "nylon", "intimate", "bedroom", "fragile", "sparse"), 92, 0.26, "folk",
        (),
        (
            Part("nylon", "arp", ("r-x-x-x-r-x-x-x-", "r-x-f-x-r-x-f-x-", "rxx-fxx-rxx-fxx-"), 60, -3.0, -0.1, "ivbcko", room=0.15),
            Part("piano-soft", "chords", ("x-------x-------", "x---------------"), 62, -13.0, 0.2, "co", room=0.2),
            Part("piano-soft", "lead", ("long",), 74, -11.0, 0.2, "ic", 1.0, room=0.25),
        ),
        fill=(), singer="singer-soft", song="even", register=62, hall=0.8, wet=0.25,
    ),
    Style(
        "acoustic", "country-folk", ("country", "fiddle", "banjo", "train-beat", "dreadnought", "twangy", "porch"), 115, 0.48, "folk",
        (
            Lane("brush", ("xoXoxoXoxoXoxoXo", "x.Xox.Xox.Xox.Xo"), -12.0, 0.1, "vbco", metre="hat"),
            Lane("kick-stomp", ("X...X...X...X...", "X.......X......."), -4.0, when="ivbco", metre="kick"),
            Lane("rim", ("....x.......x...",), -16.0, when="c", metre="snare"),
        ),
        (
            Part("bass-upright", "bass", ("r---f---r---f---", "r---f---r---a---"), 34, -4.0, when="ivbco", room=0.05),
            Part("steel", "strum", ("..x...x...x...x.", "x.x.x.x.x.x.x.x."), 64, -10.0, -0.35, "ivbco", room=0.15),
            Part("banjo", "arp", ("x.xxx.xxx.xxx.xx", "xxxxxxxxxxxxxxxx"), 67, -11.0, 0.35, "vbco", room=0.15),
            Part("fiddle", "lead", ("busy",), 74, -12.0, 0.1, "ic", 1.0, room=0.25),
        ),
        fill=("brush",), singer="singer-high", song="even", register=65, hall=0.9, wet=0.3, five=True,
    ),
)

CPOP = (
    Style(
        "cpop", "piano-ballad", ("ballad", "piano", "erhu", "strings", "emotional", "fretless"), 80, 0.46, "ballad",
        (
            Lane("kick-soft", ("X.......x.......", "X.....x.X......."), -3.0, when="bco", metre="kick"),
            Lane("snare-live", ("....x.......x...",), -8.0, when="co", metre="snare", room=0.3),
            Lane("hat-live", ("x.x.x.x.x.x.x.x.",), -19.0, 0.2, "bco", metre="hat"),
            Lane("shaker", ("x.xox.xox.xox.xo",), -22.0, 0.4, "vc"),
        ),
        (
            Part("piano", "arp", ("r-x-x-x-r-x-x-x-", "r-xxx-x-r-xxx-x-"), 64, -5.0, when="ivbcko", room=0.3),
            Part("strings", "pad", (), 62, -14.0, when="bcko", room=0.4),
            Part("bass-round", "bass", ("r-------r-----f-", "r-----r-r-------"), 33, -6.0, when="vbco", room=0.0),
            Part("erhu", "lead", ("long",), 72, -11.0, 0.1, "ick", 1.0, room=0.4, front=True),
            Part("guzheng", "counter", (), 74, -14.0, 0.35, "c", 0.8, room=0.35),
        ),
        fill=("snare-live", "tom-mid"), singer="singer-high", song="even", register=67, hall=2.2, wet=0.5, five=True,
    ),
    Style(
        "cpop", "idol-dance", ("idol", "bubbly", "dance-pop", "sparkling", "electro", "candy", "chant"), 124, 0.80, "anthem",
        (
            Lane("kick-house", ("X...X...X...X...",), 0.5, when="ivco", metre="kick"),
            Lane("clap", _BACK, -5.0, when="vco", metre="snare"),
            Lane("snare-tight", ("....x..x.x..x..x", "....x.......x.xx"), -9.0, when="c", metre="snare"),
            Lane("hat-open", ("..x...x...x...x.",), -14.0, 0.1, "vco"),
            Lane("hat-tight", ("xoxoxoxoxoxoxoxo", "xxxxxxxxxxxxxxxx"), -18.0, -0.2, "vbc", metre="hat"),
            Lane("snare-roll", ("x.x.x.x.xxxxxxxx",), -10.0, when="b"),
        ),
        (
            Part("bass-house", "bass", ("r-u-r-u-r-u-r-u-", "r.ru.ur.r.ru.ur."), 34, -4.0, when="ivbco", room=0.0),
            Part("pluck", "arp", ("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx"), 76, -11.0, 0.3, "ivbc", room=0.3, echo=0.25),
            Part("super-stab", "chords", ("x..x..x..x..x...", "..x...x...x...x."), 65, -13.0, when="vbco", room=0.25),
            Part("guzheng", "riff", ("x.xx.xx.x.xx.xx.", "x.x.xx.xx.x.xx.x"), 74, -8.0, -0.2, "ivc", room=0.25, front=True),
            Part("lead-square", "lead", ("busy",), 76, -14.0, 0.1, "c", room=0.25, front=True),
        ),
        fill=("snare-tight", "tom-high"), singer="singer-high", song="push", register=71, duck=0.35, hall=1.2, wet=0.4, drive=1.5, five=True,
    ),
    Style(
        "cpop", "mandarin-rnb", ("smooth", "r&b", "rnb", "mellow", "guzheng", "relaxed", "falsetto", "snaps"), 92, 0.50, "deep",
        (
            Lane("kick-soft", ("X......x..x.....", "X.....x...x.....", "X..x....x......."), 0.0, when="ivco", metre="kick"),
            Lane("snap", _BACK, -7.0, 0.1, "ivco", metre="snare", room=0.2),
            Lane("snare-tight", _BACK, -10.0, when="c", metre="snare"),
            Lane("hat", ("x.x.x.x.x.x.x.x.", "x.xox.xxx.xox.xx"), -15.0, 0.2, "vbco", metre="hat"),
            Lane("shaker", ("xoxoxoxoxoxoxoxo",), -20.0, -0.4, "c", 0.8),
        ),
        (
            Part("epiano", "chords", ("x-----x-..x-----", "x--x------x-x---", "x---..x---x-----"), 62, -8.0, when="ivbcko", room=0.2),
            Part("bass-round", "bass", ("r--r--..r-f-..u-", "r-----r-..r-f---"), 33, -3.0, when="vbco", room=0.0),
            Part("guzheng", "riff", ("..x.xx.x..x.xx..", "x..xx.....x.xxx."), 74, -10.0, 0.25, "ivco", room=0.3, front=True),
            Part("pad", "pad", (), 60, -19.0, when="ivbck"),
            Part("pipa", "lead", ("sway",), 72, -10.0, -0.2, "ic", room=0.3, front=True),
        ),
        colour=4, fill=("snare-tight",), singer="singer-soft", song="sway", register=65, swing=0.14, duck=0.15, hall=1.4, wet=0.4, drive=0.5, five=True,
    ),
    Style(
        "cpop", "stadium-rock", ("stadium", "rock", "power", "delayed", "pounding", "arena", "crowd"), 125, 0.70, "anthem",
        (
            Lane("kick-live", ("X.....x.X.x.....", "X...X...X...X..."), 0.5, when="ivbco", metre="kick"),
            Lane("snare-rock", _BACK, -2.0, when="vbco", metre="snare", room=0.2),
            Lane("tom-low", ("x...x.x.x...x.xx", "x..x..x.x..x..xx"), -10.0, 0.0, "ib", room=0.2),
            Lane("hat-half", _EIGHTHS, -16.0, -0.2, "v", metre="hat"),
            Lane("crash", ("x...x...x...x...",), -20.0, 0.3, "c", metre="hat"),
        ),
        (
            Part("bass-pick", "bass", ("r-r-r-r-r-r-r-r-",), 33, -4.0, when="ivbco", room=0.02),
            Part("clean", "arp", ("x-xx-xx-x-xx-xx-", "x-x-x-x-x-x-x-x-"), 72, -9.0, 0.3, "ivbco", room=0.35, echo=0.4),
            Part("guitar-power", "power", ("x---x-x-x---x-x-", "x-------x-------"), 40, -11.0, when="bco", room=0.15),
            Part("piano", "chords", ("x---x---x---x---",), 64, -13.0, -0.1, "vbco", room=0.25),
            Part("strings", "pad", (), 64, -17.0, when="co", room=0.4),
            Part("guitar-lead", "lead", ("even",), 74, -12.0, 0.1, "ic", room=0.35, echo=0.25, front=True),
        ),
        fill=("tom-high", "tom-mid", "tom-low"), singer="singer-shout", song="even", register=67, hall=2.2, wet=0.45, drive=2.0, five=True,
    ),
)

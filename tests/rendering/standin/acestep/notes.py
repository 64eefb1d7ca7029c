"""What the stand-in was asked, printed: libraries print to standard output, and the worker's log keeps it."""

import json
import threading

EVENTS = []


def note(what, **details):
    EVENTS.append(what)
    print("NOTE " + json.dumps({"what": what, "thread": threading.get_ident(), **details}), flush=True)

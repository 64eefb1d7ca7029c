"""Engines that misbehave, one way for each word; a recipe's style, or the configuration's "at_load", names the way."""

import array
import ctypes
import json
import math
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

RATE = 8000


def wave(seconds, level=0.3, rate=RATE):
    return [level * math.sin(2 * math.pi * 220 * index / rate) for index in range(int(seconds * rate))]


def write(out, samples, rate=RATE):
    """Write 32-bit float WAV; without numpy, which would take longer to import than all else here."""
    data = array.array("f", samples).tobytes()
    head = (
        b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, rate, rate * 4, 4, 32) + b"data" + struct.pack("<I", len(data))
    )
    Path(out).write_bytes(b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data)


def reply_descriptors():
    """Every pipe this process can write to, but its own output."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            kind = os.fstat(number)
        except OSError:
            continue
        if number > 2 and stat.S_ISFIFO(kind.st_mode):
            found.append(number)
    return found


def shout(text):
    for number in reply_descriptors():
        try:
            os.write(number, text)
        except OSError:
            pass


class Hostile:
    """Does what it is told, however bad."""

    supports = {"lyrics": "none"}

    def __init__(self):
        self.cancelled = False
        self.songs = 0

    def load(self, config):
        if config.get("at_load"):
            getattr(self, config["at_load"])({"duration": 1.0, "seed": 0}, Path("song.wav"))
        return {"sample_rate": RATE, "pid": os.getpid()}

    def cancel(self):
        self.cancelled = True

    def check(self, recipes):
        return [recipe["style"] for recipe in recipes if recipe["style"] == "unfit"]

    def render(self, recipe, out):
        self.songs += 1
        returned = getattr(self, recipe["style"].replace("-", "_"))(recipe, out)
        if not out.exists() and not out.is_symlink() and recipe["style"] not in SILENT_ENDS:
            write(out, wave(recipe["duration"]))
        return {"seed": recipe["seed"], "songs": self.songs, "pid": os.getpid(), **(returned or {})}

    # -- honest ones ----------------------------------------------------------------------------------------------
    def honest(self, recipe, out):
        self.on_step(1, 2)
        self.on_step(2, 2)

    def slow(self, recipe, out):
        self.on_step(1, 2)
        time.sleep(0.5)
        self.on_step(2, 2)

    def numbers(self, recipe, out):
        import numpy as np

        return {"value": np.float32(0.5), "array": np.arange(3), "path": out, "nothing": float("nan")}

    def chatty(self, recipe, out):
        print('{"id": 1, "ok": true, "result": {"seed": -1}}')
        os.write(1, b"\x00\xff garbage\n" * 10)
        os.write(2, b"\x00\xff garbage\n" * 10)

    def flood_log(self, recipe, out):
        for _ in range(32):
            os.write(1, b"x" * 65536)

    def patient(self, recipe, out):
        while not self.cancelled:
            time.sleep(0.01)
        raise Cancelled("dropped")

    def plan(self, recipe, out):
        return {"plan": recipe.get("plan", "none")}

    # -- endings --------------------------------------------------------------------------------------------------
    def raises(self, recipe, out):
        raise ValueError("no such chord")

    def exits(self, recipe, out):
        os._exit(3)

    def leaves(self, recipe, out):
        sys.exit(4)

    def segfault(self, recipe, out):
        ctypes.string_at(0)

    def crash_once(self, recipe, out):
        # Its scratch folder is emptied with every new child, so only the count of songs tells.
        if self.songs > 1:
            os._exit(3)

    def hang(self, recipe, out):
        time.sleep(3600)

    def hang_deaf(self, recipe, out):
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(3600)

    def stops_itself(self, recipe, out):
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)

    def kill_parent(self, recipe, out):
        for pid in {os.getppid(), 1, *(int(name) for name in os.listdir("/proc") if name.isdigit())} - {os.getpid()}:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.3)

    def missing(self, recipe, out):
        raise Missing("no weights here")

    # -- the protocol ---------------------------------------------------------------------------------------------
    def garbage(self, recipe, out):
        shout(b"what is this\n")
        time.sleep(1)

    def wrong_id(self, recipe, out):
        shout(b'{"id": 99999, "ok": true, "result": {}}\n')
        time.sleep(1)

    def not_an_object(self, recipe, out):
        shout(b"[1, 2, 3]\n")
        time.sleep(1)

    def deep(self, recipe, out):
        shout(b"[" * 200_000 + b"\n")
        time.sleep(1)

    def huge_line(self, recipe, out):
        for _ in range(400):
            shout(b"x" * 65536)
        time.sleep(5)

    def huge_number(self, recipe, out):
        shout(b'{"id": ' + b"9" * 10_000 + b"}\n")
        time.sleep(1)

    def endless_progress(self, recipe, out):
        while True:
            self.on_step(1, 2)

    def close_pipes(self, recipe, out):
        for number in reply_descriptors():
            os.close(number)
        time.sleep(3600)

    def wrong_result(self, recipe, out):
        write(out, wave(recipe["duration"]))
        shout(b'{"id": 1, "ok": true, "result": [1]}\n')

    # -- limits ---------------------------------------------------------------------------------------------------
    def fork_bomb(self, recipe, out):
        while True:
            try:
                os.fork()
            except OSError:
                pass

    def many_children(self, recipe, out):
        for _ in range(60):
            if os.fork() == 0:
                time.sleep(3600)
        time.sleep(3600)

    def threads(self, recipe, out):
        import threading

        while True:
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()

    def allocate(self, recipe, out):
        held = []
        while True:
            held.append(bytearray(os.urandom(1 << 20) * 16))

    def allocate_in_children(self, recipe, out):
        for _ in range(8):
            if os.fork() == 0:
                self.held = bytearray(os.urandom(1 << 20) * 48)
                time.sleep(3600)
        time.sleep(3600)

    def big_file(self, recipe, out):
        block = b"x" * (1 << 20)
        with open("big", "wb") as file:
            for _ in range(10_240):
                file.write(block)

    def sparse_file(self, recipe, out):
        with open("sparse", "wb") as file:
            file.truncate(10 << 30)

    def many_files(self, recipe, out):
        for number in range(10_240):
            with open(f"part-{number}", "wb") as file:
                file.write(b"x" * (1 << 20))

    # -- what it leaves behind ------------------------------------------------------------------------------------
    def grandchild(self, recipe, out):
        if os.fork() == 0:
            try:
                os.setsid()
            except OSError:
                pass
            if os.fork() == 0:
                for number in range(64):
                    try:
                        os.close(number)
                    except OSError:
                        pass
                mark = recipe.get("caption", "")
                os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(3600)", mark])
            os._exit(0)

    def shell(self, recipe, out):
        return {"said": subprocess.run(["/bin/sh", "-c", "echo hello"], capture_output=True, text=True).stdout}

    def sockets(self, recipe, out):
        results = {}
        for name in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
                try:
                    socket.socket(getattr(socket, name), kind).close()
                    results[f"{name}/{int(kind)}"] = True
                except OSError:
                    pass
        socket.socketpair()[0].close()
        return {"opened": results}

    def look(self, recipe, out):
        return {
            "environment": dict(os.environ),
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
            "processes": [int(name) for name in os.listdir("/proc") if name.isdigit()],
            "temporary": os.environ["TMPDIR"],
        }

    def read_all(self, recipe, out):
        results = {}
        for name in json.loads(recipe["caption"]):
            try:
                results[name] = Path(name).read_text()
            except OSError:
                results[name] = None
        return {"read": results}

    def write_all(self, recipe, out):
        results = {}
        for name in json.loads(recipe["caption"]):
            try:
                Path(name).write_text("x")
                results[name] = True
            except OSError:
                results[name] = False
        return {"written": results}

    # -- bad audio ------------------------------------------------------------------------------------------------
    def silence(self, recipe, out):
        write(out, [0.0] * int(recipe["duration"] * RATE))

    def half_silence(self, recipe, out):
        samples = wave(recipe["duration"])
        sounding = int(0.3 * len(samples))
        write(out, samples[:sounding] + [0.0] * (len(samples) - sounding))

    def nan(self, recipe, out):
        samples = wave(recipe["duration"])
        samples[100] = math.nan
        write(out, samples)

    def truncated(self, recipe, out):
        write(out, wave(recipe["duration"]))
        whole = out.read_bytes()
        out.write_bytes(whole[: len(whole) // 3])

    def empty(self, recipe, out):
        out.write_bytes(b"")

    def nothing(self, recipe, out):
        pass

    def text(self, recipe, out):
        out.write_text("this is not audio")

    def wrong_length(self, recipe, out):
        write(out, wave(recipe["duration"] * 3))

    def short(self, recipe, out):
        write(out, wave(recipe["duration"] / 4))

    def wrong_rate(self, recipe, out):
        write(out, wave(recipe["duration"], rate=11025), rate=11025)

    def flat(self, recipe, out):
        write(out, [math.copysign(1.0, sample) for sample in wave(recipe["duration"])])

    def link(self, recipe, out):
        out.symlink_to("/etc/passwd")

    def link_folder(self, recipe, out):
        out.parent.rename(out.parent.with_name("moved"))
        out.parent.symlink_to("/etc")

    def fifo(self, recipe, out):
        os.mkfifo(out)

    def folder(self, recipe, out):
        out.mkdir()
        (out / "inside").write_text("x")


SILENT_ENDS = ("nothing", "link-folder")


class Cancelled(Exception):
    reason = "cancelled"


class Missing(Exception):
    exit_code = 3
    next_step = "Run: optimize setup nothing"


class NoLoad:
    """Has no method `load`."""


class BadInit(Hostile):
    def __init__(self):
        raise RuntimeError("not today")

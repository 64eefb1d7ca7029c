"""What only an accelerator can show, of the model engines: run this on a machine with CUDA or Metal.

    python benchmarks/gpu_checks.py                                       # a tiny pipeline on the accelerator
    python benchmarks/gpu_checks.py --model DIR_OR_ID --duration 30       # the real diffusers pipeline
    python benchmarks/gpu_checks.py --acestep-dir DIR --duration 30       # the upstream checkout, planner included

Prints one line for each check, and ends with status 1 if one fails. ``docs/gpu-checks.md`` says what each is for. With
``--device cpu`` it runs anywhere, which checks this program and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tiny import tiny_acestep

from optimizer.errors import RenderFailed
from optimizer.recipe import Recipe
from optimizer.rendering.base import Clip
from optimizer.rendering.registry import RenderOptions, resolve
from optimizer.rendering.renderer import Renderer
from optimizer.search_space import load_genre

LIKENESS = 0.99
"""Correlation of the same song in 32 bits on two devices; measured between thread counts on a CPU it is 1 - 1e-12."""


class Checks:
    """The machine, the model, and the checks in order."""

    def __init__(self, arguments: argparse.Namespace, place: Path) -> None:
        self.place, self.device, self.count = place, arguments.device, 0
        self.renderer_name = "acestep-native" if arguments.acestep_dir else "acestep"
        self.model = arguments.model
        self.tiny = self.model is None and arguments.acestep_dir is None
        if self.tiny:
            self.model = str(tiny_acestep(place / "tiny-acestep-turbo"))
        self.options = RenderOptions(
            model=self.model, device=arguments.device, duration=arguments.duration, acestep_dir=arguments.acestep_dir
        )
        self.recipe: Recipe = load_genre("bhangra").probe_recipes(arguments.duration)[0]
        self.worker = self.start(self.options)

    def start(self, options: RenderOptions) -> Renderer:
        """Return a renderer of its own process."""
        self.count += 1
        scratch = self.place / f"scratch{self.count}"
        scratch.mkdir()
        return Renderer(resolve(self.renderer_name, options), scratch, log=self.place / f"worker-{self.count}.log")

    def song(self, renderer: Renderer | None = None, plan: str | None = None, **changes: Any) -> tuple[Clip, Any]:
        """Render; returns the clip and its samples."""
        clip = (renderer or self.worker).render(replace(self.recipe, **changes), self.place / "song.flac", plan=plan)
        return clip, soundfile.read(clip.path, dtype="float32")[0]

    def device_is_used(self) -> str:
        """The sandbox lets the accelerator through, and the model is on it."""
        info = self.worker.start()
        assert str(info["device"]).startswith(self.device), f"on {info['device']}"
        return f"{info['device']}, {info['dtype']}, confined by {self.worker.confined.get('mechanism')}"

    def speed(self) -> str:
        """A warm song, after the kernels were chosen."""
        self.song()
        started = time.perf_counter()
        clip, _ = self.song(seed=1)
        spent = time.perf_counter() - started
        memory = clip.info["memory"]
        figures = ", ".join(f"{name} {value / 2**30:.2f} GiB" for name, value in memory.items())
        stages = ", ".join(f"{name} {value:.2f}" for name, value in clip.info["timings"].items())
        return f"{spent:.2f} s for {self.recipe.duration:g} s of audio ({stages}); {figures}"

    def repeats_in_one_process(self) -> str:
        """The same recipe twice, another song between."""
        first = self.song()[1]
        self.song(seed=5)
        assert (self.song()[1] == first).all(), "not sample-identical"
        return "sample-identical"

    def repeats_in_another_process(self) -> str:
        """The same recipe in a fresh process."""
        first, other = self.song()[1], self.start(self.options)
        try:
            assert (self.song(other)[1] == first).all(), "not sample-identical"
        finally:
            other.close()
        return "sample-identical"

    def same_noise_as_on_the_cpu(self) -> str:
        """The CPU's generator makes a seed mean the same song on every device, if not to the last bit."""
        if not self.tiny:
            return "skipped: only the tiny pipeline is quick enough on a CPU"
        other = self.start(replace(self.options, device="cpu"))
        try:
            mine, theirs = self.song()[1], self.song(other)[1]
        finally:
            other.close()
        likeness = float(np.corrcoef(mine.ravel(), theirs.ravel())[0, 1])
        exact = self.worker.info["dtype"] == "float32"
        assert not exact or likeness > LIKENESS, f"correlation {likeness:.4f}"
        return f"correlation {likeness:.6f} in {self.worker.info['dtype']}"

    def every_field_is_heard(self) -> str:
        """Each field of the recipe changes the audio on this device."""
        first = self.song()[1]
        changes = {
            "caption": "Slow solo piano", "bpm": 61, "key": "C# minor", "language": "en", "lyrics": "[Instrumental]",
            "seed": 99, "time_signature": "3",
        }  # fmt: skip
        same = [name for name, value in changes.items() if (self.song(**{name: value})[1] == first).all()]
        assert not same, f"no effect: {', '.join(same)}"
        return ", ".join(changes)

    def plan_is_replayed(self) -> str:
        """The planner repeats with its seed, and its plan gives the same song without it."""
        if self.renderer_name == "acestep":
            plan = "<|audio_code_7|><|audio_code_900|>" * 5
            assert (self.song(plan=plan)[1] != self.song()[1]).any(), "the plan has no effect"
            return "a stored plan changes the song"
        first, samples = self.song()
        assert self.song()[0].info["plan"] == first.info["plan"], "the planner gives another plan for the same seed"
        started = time.perf_counter()
        replayed, again = self.song(plan=first.info["plan"])
        spent = time.perf_counter() - started
        assert (again == samples).all(), "the replayed plan gives another song"
        assert (self.song(plan=first.info["plan"], seed=1)[1] != samples).any(), "another seed gives the same take"
        whole = first.info["timings"]["render"]
        return f"sample-identical; {whole:.1f} s with the planner, {spent:.1f} s without ({replayed.info['timings']})"

    def cancelled_within_a_step(self) -> str:
        """How long after a cancel the worker is free again."""
        if self.renderer_name == "acestep-native":
            return "skipped: upstream cannot be interrupted; its worker is ended"
        asked: list[float] = []

        def cancel(step: int, steps: int) -> None:
            if step == 2:
                asked.append(time.perf_counter())
                threading.Thread(target=self.worker.cancel, args=(60.0,)).start()

        try:
            self.worker.render(self.recipe, self.place / "song.flac", on_progress=cancel)
        except RenderFailed as failure:
            assert failure.reason == "cancelled", failure
            return f"{time.perf_counter() - asked[0]:.2f} s after it was asked"
        # A pipeline this quick can be through before the word arrives.
        assert self.tiny, "the song was finished all the same"
        return "the song was over before the cancel arrived"

    def memory_stays(self) -> str:
        """Ten songs, by the device's own count."""
        key = "device" if self.device != "cpu" else "rss"
        figures = [self.song(seed=seed)[0].info["memory"][key] for seed in range(11)]
        growth = max(figures[1:]) / max(1, figures[1]) - 1
        assert growth <= 0.1, f"{key} memory grew by {100 * growth:.0f} %"
        return f"{key} {figures[1] / 2**20:.0f} MiB after song 2, {figures[-1] / 2**20:.0f} after song 11"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "mps", "cpu"))
    parser.add_argument("--model")
    parser.add_argument("--acestep-dir")
    parser.add_argument("--duration", type=float, default=2.0)
    arguments = parser.parse_args()
    if arguments.device is None:
        from optimizer.rendering.device import guess_device

        arguments.device = guess_device("auto")
    if arguments.device == "cpu":
        print("no accelerator: this checks the program only")
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        checks = Checks(arguments, Path(place))
        order: list[Callable[[], str]] = [
            checks.device_is_used, checks.speed, checks.repeats_in_one_process, checks.repeats_in_another_process,
            checks.same_noise_as_on_the_cpu, checks.every_field_is_heard, checks.plan_is_replayed,
            checks.memory_stays, checks.cancelled_within_a_step,
        ]  # fmt: skip
        try:
            for check in order:
                try:
                    print(f"ok   {check.__name__:<28}{check()}", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"FAIL {check.__name__:<28}{type(error).__name__}: {error}", flush=True)
        finally:
            checks.worker.close()
    print(f"{len(order) - failed} of {len(order)} checks passed on {arguments.device}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

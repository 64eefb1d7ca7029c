"""`optimize evaluate`: a scorer against people or another judge, a classifier on recordings, a set against a set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from optimizer.cli.options import Json, number, print_json, print_table
from optimizer.cli.score import Device, Dtype, Encoder, Head, Jobs, Window, heard, progress, spec_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    pairs: Annotated[Path | None, typer.Option("--pairs", help="CSV of choices: a_path, b_path, winner.")] = None,
    audio: Annotated[Path | None, typer.Option("--audio", help="Folder of songs, for a best-of-N curve.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Embeddings of a set; of the pairs' songs.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Embeddings of the set to compare with.")
    ] = None,
    classifier: Annotated[
        Path | None, typer.Option("--classifier", help="A trained classifier, judged on --data.")
    ] = None,
    target: Annotated[str, typer.Option("--target", help="Column of the true class.")] = "label",
    scorer: Annotated[str | None, typer.Option("--scorer", help="The scorer that is judged, or picks.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="The scorer that judges the picks.")] = None,
    encoder: Encoder = None,
    head: Head = None,
    window: Window = None,
    scorer_device: Device = None,
    scorer_dtype: Dtype = None,
    jobs: Jobs = 2,
    json_: Json = False,
) -> None:
    """Judge a judge: --pairs; --audio with --judge; --data, with --reference or --classifier."""
    from optimizer.errors import UsageError

    given = (encoder, head, window, scorer_device, scorer_dtype)
    if pairs is not None:
        result = _pairs(pairs, data, scorer, given, jobs)
    elif audio is not None:
        if judge is None:
            raise UsageError("--audio needs --judge SCORER, in whose ears the picks of --scorer are judged.")
        result = _curve(audio, scorer, judge, given, jobs)
    elif data is not None:
        result = _set(data, reference, classifier, target)
    else:
        raise UsageError("there is nothing to evaluate.", next_step="Give --pairs FILE, --audio DIR or --data DIR.")
    if json_:
        print_json(result)
    else:
        _show(result)


def _pairs(pairs: Path, data: Path | None, scorer: str | None, given: tuple[Any, ...], jobs: int) -> dict[str, Any]:
    import numpy as np

    from optimizer.errors import UsageError
    from optimizer.scoring.batch import score_files
    from optimizer.training.corpus import read_frame
    from optimizer.training.evaluate import agreement, scores_of
    from optimizer.training.pairwise import WINNERS, read_pairs

    frame = read_frame(pairs)
    if data is not None:
        from optimizer.training.data import read_data

        found = read_data(data)
        read = read_pairs(pairs, found)
        files = list(found.column("path"))
        a, b, share, lost = read.a, read.b, read.share, read.lost
        system = found.column("system") if "system" in found.table.columns else None
        systems = None if system is None else [str(s) for s in system[a]]
    else:
        if not {"a_path", "b_path", "winner"} <= set(frame.columns):
            raise UsageError(
                f"{pairs} names no files (a_path, b_path, winner).",
                next_step="For the votes of a run: optimize embed RUN --out DIR, then --data DIR.",
            )
        bad = set(frame["winner"].astype(str).str.lower()) - set(WINNERS)
        if bad:
            raise UsageError(f"{pairs}: winner {sorted(bad)[0]!r} must be a, b or tie.")
        names = [[str((pairs.parent / str(name)).absolute()) for name in frame[f"{side}_path"]] for side in "ab"]
        files = list(dict.fromkeys(names[0] + names[1]))
        place = {name: row for row, name in enumerate(files)}
        a, b = (np.array([place[name] for name in side]) for side in names)
        share = frame["winner"].astype(str).str.lower().map(WINNERS).to_numpy(dtype=float)
        lost = 0
        systems = [str(name) for name in frame["system"]] if "system" in frame else None
    spec = spec_of(scorer, *given)
    with heard() as store:
        scores, failed = scores_of(score_files(files, spec, store, jobs=jobs, on_progress=progress()))
    good = np.isfinite(scores[a]) & np.isfinite(scores[b])
    if not good.any():
        raise UsageError("not one pair could be scored.", next_step=next(iter(failed.values()), None))
    kept = None if systems is None else [name for name, ok in zip(systems, good, strict=True) if ok]
    result = agreement(scores[a[good]], scores[b[good]], share[good], kept)
    return {"kind": "pairs", "scorer": spec.text, **result, "lost": lost + int((~good).sum())}


def _curve(audio: Path, scorer: str | None, judge: str, given: tuple[Any, ...], jobs: int) -> dict[str, Any]:
    import numpy as np

    from optimizer.errors import UsageError
    from optimizer.scoring.batch import score_files
    from optimizer.training.evaluate import best_of, scores_of

    specs = [spec_of(scorer, *given), spec_of(judge, given[0], None, *given[2:])]
    with heard() as store:
        picker, jury = (
            scores_of(score_files([audio], spec, store, jobs=jobs, on_progress=progress()))[0] for spec in specs
        )
    good = np.isfinite(picker) & np.isfinite(jury)
    if good.sum() < 2:
        raise UsageError(f"{audio} holds {int(good.sum())} songs that both can judge; two or more are needed.")
    curve = best_of(picker[good], jury[good])
    return {
        "kind": "best-of",
        "scorer": specs[0].text,
        "judge": specs[1].text,
        "songs": int(good.sum()),
        "curve": curve,
    }


def _set(data: Path, reference: Path | None, classifier: Path | None, target: str) -> dict[str, Any]:
    from optimizer.errors import UsageError
    from optimizer.training.data import read_data

    found = read_data(data)
    if classifier is not None:
        from optimizer.training.classify import judge_folder, open_classifier

        return {"kind": "classifier", **judge_folder(open_classifier(classifier), found, target)}
    from optimizer.training.evaluate import set_figures

    other = None if reference is None else read_data(reference)
    if other is not None and other.info.get("key") != found.info.get("key"):
        raise UsageError(
            f"{data} is of {found.info.get('key')}, {reference} of {other.info.get('key')}: not one space."
        )
    return {"kind": "set", **set_figures(found.vectors, None if other is None else other.vectors)}


def _show(result: dict[str, Any]) -> None:
    def spell(figure: list[float | None]) -> str:
        value, low, high = (number(part, 3) or "-" for part in figure)
        return f"{value} [{low}, {high}]"

    if result["kind"] == "best-of":
        print(f"{result['songs']} songs; the best of N by {result['scorer']}, as {result['judge']} judges it")
        rows = [[row["n"], spell(row["judge"]), number(row["oracle"], 3)] for row in result["curve"]]
        print_table(["N", "judge's mean", "had the judge picked"], rows, right=(0, 1, 2))
        return
    if result["kind"] == "pairs":
        rows = [["all", spell(result["accuracy"]), result["pairs"] - result["ties"]]]
        rows += [[name, spell(one["accuracy"]), one["pairs"]] for name, one in result.get("systems", {}).items()]
        print_table(["system", f"agreement of {result['scorer']}", "pairs"], rows, right=(2,))
        print(
            f"\n{result['ties']} ties of people left out, {result['even']} pairs scored equal, {result['lost']} lost."
        )
        return
    if result["kind"] == "classifier":
        print(f"accuracy {spell(result['accuracy'])} on {result['songs']} songs; {result['unknown']} of other classes")
        rows = [[name, *row] for name, row in zip(result["classes"], result["confusion"], strict=True)]
        print_table(["true", *result["classes"]], rows)
        return
    rows = [[name, spell(figure)] for name, figure in result.items() if isinstance(figure, list)]
    print_table(["figure", f"{result['songs']} songs"], rows, right=(1,))

"""`optimize evaluate`: a scorer against people or another judge, a classifier on recordings, a set against a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.cli.options import Json, number, print_json, print_table
from optimizer.cli.score import Device, Dtype, Encoder, Head, Jobs, Window, heard, progress, spec_of

if TYPE_CHECKING:
    import numpy as np

    from optimizer.training.data import Data


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    pairs: Annotated[Path | None, typer.Option("--pairs", help="CSV of choices: a_path, b_path, winner.")] = None,
    audio: Annotated[Path | None, typer.Option("--audio", help="Folder of songs, for a best-of-N curve.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Embeddings of a set; of the pairs' songs; of a curve's, with --judge."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Embeddings of the set to compare with.")
    ] = None,
    components: Annotated[
        int | None, typer.Option("--components", help="Compare along so many principal components of --reference.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="Columns whose equal values are no two witnesses, with commas: rater, prompt (of --pairs), artist_id "
            "(of --data; with --classifier a single column).",
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            "--within", help="Column of --data whose songs compete for best of N; folder: those of one folder."
        ),
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
    """Judge a judge: --pairs; --audio or --data with --judge; a set: --data, with --reference or --classifier."""
    from optimizer.errors import UsageError

    given = (encoder, head, window, scorer_device, scorer_dtype)
    if pairs is not None:
        result = _pairs(pairs, data, scorer, given, group, jobs)
    elif audio is not None or (data is not None and judge is not None):
        if judge is None:
            raise UsageError("--audio needs --judge SCORER, in whose ears the picks of --scorer are judged.")
        result = _curve(audio, data, scorer, judge, given, within, group, jobs)
    elif data is not None:
        if within is not None or (group is not None and classifier is None):
            raise UsageError(
                "--group and --within are for best of N, which needs --judge; --group for --pairs and --classifier too."
            )
        result = _set(data, reference, classifier, target, components, group)
    else:
        raise UsageError("there is nothing to evaluate.", next_step="Give --pairs FILE, --audio DIR or --data DIR.")
    if json_:
        print_json(result)
    else:
        _show(result)


def _pairs(
    pairs: Path, data: Path | None, scorer: str | None, given: tuple[Any, ...], group: str | None, jobs: int
) -> dict[str, Any]:
    import numpy as np

    from optimizer.errors import UsageError
    from optimizer.training.agreement import agreement
    from optimizer.training.choices import read_choices

    found = None if data is None else _read(data)
    choices = read_choices(pairs, found, _names(group))
    songs = None if found is None or choices.rows is None else found.select(choices.rows)
    ((text, scores, failed, trained),) = _scores([(scorer, given)], choices.files, songs, jobs)
    kept = choices.select(np.isfinite(scores[choices.a]) & np.isfinite(scores[choices.b]))
    if not len(kept.a):
        raise UsageError("not one pair could be scored.", next_step=next(iter(failed.values()), None))
    result = agreement(
        scores[kept.a], scores[kept.b], kept.share, kept.a, kept.b, systems=kept.systems, clusters=kept.clusters
    )
    return {"kind": "pairs", "scorer": text, **result, "lost": kept.lost, "trained_on": trained}


Scored = tuple[str, "np.ndarray", Mapping[str, str], dict[str, dict[str, int] | None]]
"""A scorer's text, its scores (nan where there is none), why, and by head what of the songs it was trained on."""


def _scores(
    wanted: Sequence[tuple[str | None, tuple[Any, ...]]], files: Sequence[str], songs: Data | None, jobs: int
) -> list[Scored]:
    """Judge songs by each scorer: their embeddings, where it judges those, else their audio."""
    import os

    from optimizer.errors import UsageError
    from optimizer.scoring.batch import score_files
    from optimizer.scoring.cache import EmbeddingStore
    from optimizer.training.data import STORE
    from optimizer.training.evaluate import scores_of
    from optimizer.training.judged import by_heads, by_spec, folders_of
    from optimizer.training.seen import seen

    done: list[Scored] = []
    for scorer, given in wanted:
        options = dict(zip(("encoder", "head", "window", "device", "dtype"), given, strict=True))
        direct = None if songs is None else by_heads(scorer, songs, options)
        if songs is not None and direct is not None:
            judge, folders = direct
            trained = {folder.name: seen(folder, songs) for folder in folders}
            done.append((str(scorer), judge(songs.vectors), {}, trained))
            continue
        spec = spec_of(scorer, *given)
        folders = folders_of(spec)
        if songs is not None and (judged := by_spec(spec, songs)) is not None:
            trained = {folder.name: seen(folder, songs) for folder in folders}
            done.append((spec.text, judged(songs.vectors), {}, trained))
            continue
        if songs is not None and "path" not in songs.table.columns:
            raise UsageError(
                f"{spec.text} does not judge the embeddings of {songs.folder} ({songs.info.get('key')}), and there "
                "is no column 'path' with audio to hear.",
                next_step="Name a head that was trained on this encoder, or --window as the embeddings have it.",
            )
        own = None if songs is None else songs.folder / STORE
        # What the embedding heard is not heard again; elsewhere the user's own store remembers.
        near = own is not None and own.is_file() and os.access(own, os.W_OK) and os.access(own.parent, os.W_OK)
        with EmbeddingStore(own) if own is not None and near else heard() as store:
            scores, failed = scores_of(score_files(files, spec, store, jobs=jobs, on_progress=progress()))
            digests = [store.digest(Path(file)) for file in files if Path(file).is_file()] if folders else []
        trained = {folder.name: seen(folder, digests if songs is None else songs) for folder in folders}
        done.append((spec.text, scores, failed, trained))
    return done


def _curve(
    audio: Path | None,
    data: Path | None,
    scorer: str | None,
    judge: str,
    given: tuple[Any, ...],
    within: str | None,
    group: str | None,
    jobs: int,
) -> dict[str, Any]:
    import numpy as np

    from optimizer.errors import UsageError
    from optimizer.scoring.batch import audio_files
    from optimizer.training.evaluate import best_of

    found = None
    if audio is not None:
        files = [str(path) for path in audio_files([audio])]
        if within not in (None, "folder") or group is not None:
            raise UsageError(
                f"{audio} has folders, not columns: --within may be folder, and there is no --group.",
                next_step="For a table: optimize embed CORPUS --out DIR, then --data DIR.",
            )
    else:
        assert data is not None
        found = _read(data)
        files = [str(name) for name in found.column("path" if "path" in found.table.columns else "id")]
        # Genres differ in what a judge gives them at all: the best of N over genres picks genres, not songs.
        within = within or ("genre" if "genre" in found.table.columns else None)
    wanted = [(scorer, given), (judge, (given[0], None, *given[2:]))]
    (name, picker, _, first), (judge, jury, _, second) = _scores(wanted, files, found, jobs)
    good = np.isfinite(picker) & np.isfinite(jury)
    if good.sum() < 2:
        raise UsageError(f"{audio or data} holds {int(good.sum())} songs that both can judge; two or more are needed.")

    def column(name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        if name == "folder" or found is None:
            return np.asarray([str(Path(file).parent) for file, ok in zip(files, good, strict=True) if ok])
        return np.asarray(found.column(name).astype(str)[good])

    return {
        "kind": "best-of",
        "scorer": name,
        "judge": judge,
        "songs": int(good.sum()),
        "within": within,
        "group": group,
        "trained_on": {**first, **second},
        "curve": best_of(picker[good], jury[good], pools=column(within), groups=column(group)),
    }


def _read(folder: Path) -> Data:
    """Read embeddings, and say which of them are none."""
    import sys

    from optimizer.training.card import broken
    from optimizer.training.data import read_data

    found = read_data(folder)
    if found.broken:
        print(f"note: {folder}: {broken(found.broken)}", file=sys.stderr)
    return found


def _names(group: str | None) -> list[str] | None:
    return None if group is None else [name.strip() for name in group.split(",") if name.strip()]


def _set(
    data: Path,
    reference: Path | None,
    classifier: Path | None,
    target: str,
    components: int | None,
    group: str | None,
) -> dict[str, Any]:
    from optimizer.errors import UsageError

    found = _read(data)
    if classifier is not None:
        from optimizer.training.classifier import judge_folder, open_classifier

        judged = judge_folder(open_classifier(classifier), found, target, group=group)
        return {"kind": "classifier", "classifier": str(classifier), **judged}
    from optimizer.training.sets import set_figures

    other = None if reference is None else _read(reference)
    if other is not None and other.info.get("key") != found.info.get("key"):
        raise UsageError(
            f"{data} is of {found.info.get('key')}, {reference} of {other.info.get('key')}: not one space."
        )
    vectors = None if other is None else other.vectors
    return {"kind": "set", **set_figures(found.vectors, vectors, components=components)}


def _show(result: dict[str, Any]) -> None:
    from optimizer.training.card import FEW_GROUPS

    def spell(figure: list[float | None]) -> str:
        if figure[0] is None:
            return "-"
        value, low, high = (number(part, 3) or "-" for part in figure)
        return f"{value} [{low}, {high}]"

    if result["kind"] == "best-of":
        where = f"songs compete within one {result['within']}" if result["within"] else "all songs compete"
        print(f"{result['songs']} songs; the best of N by {result['scorer']}, as {result['judge']} judges it; {where}")
        rows = [
            [row["n"], spell(row["judge"]), spell(row["gain"]), number(row["oracle"], 3), row["pools"]]
            for row in result["curve"]
        ]
        headings = ["N", "judge's mean", "gain over one song", "had the judge picked", "pools"]
        print_table(headings, rows, right=(0, 1, 2, 3, 4))
        _beware(result["trained_on"])
        return
    if result["kind"] == "pairs":
        _show_pairs(result, spell)
        return
    if result["kind"] == "classifier":
        others = f"; {result['left_out']} of other parts than `{result['part']}`" if result["part"] else ""
        figures = ", ".join(f"{word} {spell(result[word])}" for word in ("accuracy", "balanced accuracy"))
        print(f"{figures} on {result['songs']} songs; {result['unknown']} of other classes{others}")
        over = f"values of `{result['interval_over']}`" if result["interval_over"] else "songs; no --group was named"
        print(f"Brackets hold the 95 % interval over {result['groups']} {over}.")
        if result["groups"] < FEW_GROUPS:
            print(f"{result['groups']} are too few groups for intervals to be trusted.")
        rows = [[name, *row] for name, row in zip(result["classes"], result["confusion"], strict=True)]
        print_table(["true", *result["classes"]], rows)
        _beware({result["classifier"]: result["trained_on"]})
        return
    rows = [[name, spell(figure)] for name, figure in result.items() if name != "warnings" and isinstance(figure, list)]
    print_table(["figure", f"{result['songs']} songs"], rows, right=(1,))
    for line in result.get("warnings", []):
        print(f"\nBeware: {line}")


def _show_pairs(result: dict[str, Any], spell: Callable[[list[float | None]], str]) -> None:
    rows = [["all", spell(result["accuracy"]), result["decided"], "", ""]]
    named = [*result.get("systems", {}).items()]
    # Matchups of two systems say no more than the two systems do.
    if len(named) > 2:
        named += [(" / ".join(one["systems"]), one) for one in result["matchups"]]
    for name, one in named:
        rates = [spell(one[word]) for word in ("win_rate", "scorer_win_rate")]
        rows.append([name, spell(one["accuracy"]), one["decided"], *rates])
    headings = ["system", f"agreement of {result['scorer']}", "decided pairs", "people's wins", "scorer's wins"]
    if not named:
        headings, rows = headings[:3], [row[:3] for row in rows]
    print_table(headings, rows, right=(1, 2, 3, 4))
    shared = [f"{result['songs']} songs", *(f"{count} values of {name}" for name, count in result["clusters"].items())]
    print(
        f"\nPairs that share one of {', '.join(shared)} are taken for dependent. {result['ties']} ties of people take "
        f"no part in agreement and are half a win; {result['even']} decided pairs scored equal are half right; "
        f"{result['lost']} pairs lost."
    )
    _beware(result["trained_on"])


def _beware(trained: Mapping[str, Mapping[str, int] | None]) -> None:
    from optimizer.training.seen import warning

    for name, counts in trained.items():
        if (line := warning(name, counts)) is not None:
            print(f"\nBeware: {line}")

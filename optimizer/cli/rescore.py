"""`optimize rescore STUDY --scorer tunejury`: what another judge says of a study's songs."""

from __future__ import annotations

from typing import Annotated

import typer

from optimizer.cli.options import RUNS_DIR, Json, RunsDir, Study, number, print_json, print_table, run_of
from optimizer.cli.score import Device, Dtype, Encoder, Head, Jobs, Window, progress, spec_of
from optimizer.cli.show import no_songs, record_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("rescore")(rescore)


def rescore(
    study: Study,
    scorer: Annotated[str, typer.Option("--scorer", help="Such as tunejury, banger+clap:0.5 or a folder.")],
    encoder: Encoder = None,
    head: Head = None,
    window: Window = None,
    scorer_device: Device = None,
    scorer_dtype: Dtype = None,
    jobs: Jobs = 2,
    runs_dir: RunsDir = RUNS_DIR,
    json_: Json = False,
) -> None:
    """Judge a study's songs again; the parts are added, its objective stays."""
    from optimizer.scoring import batch
    from optimizer.scoring.cache import EmbeddingStore
    from optimizer.study import add_parts

    run = run_of(study, runs_dir)
    with run.lock():
        record = record_of(study, runs_dir)
        if not record.songs:
            raise no_songs(record)
        genres = sorted({song.recipe.genre for song in record.songs})
        spec = spec_of(scorer, encoder, head, window, scorer_device, scorer_dtype, genres)
        with EmbeddingStore(run.embeddings) as store:
            scores = batch.rescore(record.songs, spec, store, jobs=jobs, on_progress=progress())
        found = {song.number: one.parts for song, one in zip(record.songs, scores, strict=True) if not one.error}
        storage = record.identity.get("options", {}).get("storage")
        add_parts(run, found, storage=storage)
    if json_:
        print_json(
            [
                {"number": song.number, "objective": song.value, **one.to_dict()}
                for song, one in zip(record.songs, scores, strict=True)
            ]
        )
        return
    ranked = sorted(zip(record.songs, scores, strict=True), key=lambda pair: -(pair[1].score or 0.0))
    rows = [
        [song.number, number(song.value), number(one.score), song.recipe.style, one.error] for song, one in ranked[:10]
    ]
    print_table(["trial", "objective", spec.text, "style", "problem"], rows, right=(0, 1, 2))
    print(f"\n{len(found)} of {len(scores)} songs judged; the parts are kept with the study.")

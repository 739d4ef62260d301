"""The real asset graph with canned stages: real recipes, audits, commits, gold SQL and Dagster runs, but no models.

Each silver stage hands back what tests/mini_lake.py says, under ids of the batch's own. Run as a script it is
`speakervid` with these stages (`python canned.py run VIDEOS --lake LAKE`). CANNED_HANG=STAGE/BATCH makes that stage
wait for ever, after it has made the file CANNED_REACHED: what a test then kills is killed exactly there. With
CANNED_MEET=FOLDER a process that has planned waits until a second one has: both then hold a plan of the same files.
CANNED_MEET_TO_PUBLISH=FOLDER is the same for one that is about to publish.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini_lake import SHAS, mini_lake

from speakervid_dag.assets import publication, table_asset
from speakervid_dag.lake.batches import BatchBook, Place, Plan, SourceFile
from speakervid_dag.lake.schemas import Table
from speakervid_dag.quality_checks import factory
from speakervid_dag.quality_checks.audit import AuditReport, FailingRow, Finding
from speakervid_dag.stages.stage import Stage

Frames = Mapping[str, pl.DataFrame]
Breaks = Callable[[Stage, dict[str, pl.DataFrame]], None]


def no_breaks(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    """Leaves the stage's rows as they are."""


def batch_name(number: int) -> str:
    return f"b{number:06d}"


def files_of(batch: str) -> list[SourceFile]:
    """Two files of the batch's own; nothing opens them."""
    return [SourceFile((Place(f"/videos/{sha[:8]}.mp4", 0),), 20_000, sha) for sha in _shas(batch)]


def write_videos(folder: Path, count: int) -> None:
    """Files that `speakervid run` makes `count` batches of, two files each: their bytes are what `files_of` hashes."""
    folder.mkdir(parents=True)
    for batch in map(batch_name, range(1, count + 1)):
        for i, body in enumerate(_bodies(batch)):
            (folder / f"{batch}_{i}.mp4").write_bytes(body)


def plan(*batches: str) -> Plan:
    return Plan({batch: files_of(batch) for batch in batches})


@cache
def frames_of(batch: str) -> dict[str, pl.DataFrame]:
    """Every table of mini_lake with the ids of this batch, of clips that reach the best tier of `laptop`."""
    swaps = {old[:16]: new[:16] for old, new in zip(SHAS, _shas(batch), strict=True)}
    made = {}
    for name, frame in mini_lake().items():
        texts, lists = pl.col(pl.String), pl.col(pl.List(pl.String))
        swapped = frame.with_columns(
            texts.str.replace_many(swaps), lists.list.eval(pl.element().str.replace_many(swaps))
        )
        made[name] = swapped.with_columns(batch=pl.lit(batch)) if "batch" in frame.columns else swapped
    made["videos"] = made["videos"].with_columns(
        sha256=pl.Series(_shas(batch)), video_id=pl.Series(f"v{sha[:16]}" for sha in _shas(batch))
    )
    made["clip_scores"] = made["clip_scores"].with_columns(
        face_height_px=pl.lit(120.0),
        freeze_share=pl.lit(0.1),
        face_repeat_share=pl.lit(0.05),
        no_speech_prob=pl.lit(0.1),
    )
    return made


def canned_run(breaks: Breaks) -> Callable[..., Iterator[Any]]:
    """`table_asset._run` whose stage hands back `frames_of` its batch, after `breaks` has had its way with them."""
    real = table_asset._run

    def compute(stage: Stage) -> Frames:
        rows = dict(frames_of(stage.batch))
        stage.outcomes = rows["stage_outcomes"].filter(pl.col("stage") == stage.name).to_dicts()
        breaks(stage, rows)
        return rows

    def run(context: Any, lakehouse: Any, recipe: Any, _: Any) -> Iterator[Any]:
        yield from real(context, lakehouse, recipe, compute)

    return run


def quick_audit(table: Table, frame: pl.DataFrame, *_: Any) -> AuditReport:
    """Judges nothing but the key, in no time: what suites find is tests/quality_checks' matter."""
    twice = frame.filter(pl.struct(table.key).is_duplicated())
    rows = tuple(FailingRow(r["batch"], "/".join(str(r[k]) for k in table.key), "twice") for r in twice.to_dicts())
    found = (Finding("key_unique", "critical", "", "the key is unique", f"{len(rows)} rows", rows),) if rows else ()
    return AuditReport(table.name, frame.height, 1, found)


def replace_stages() -> None:
    """From here on this process computes and judges nothing, and starts none that would."""
    os.environ["SPEAKERVID_ISOLATE"] = "false"
    table_asset._run = canned_run(_hang_where_told)
    factory.audit = quick_audit


def _hang_where_told(stage: Stage, _: dict[str, pl.DataFrame]) -> None:
    if os.environ.get("CANNED_HANG") == f"{stage.name}/{stage.batch}":
        Path(os.environ["CANNED_REACHED"]).touch()
        time.sleep(3600)


def _meet(folder: Path) -> None:
    """Returns once two processes have come here."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)


def _plan_together() -> None:
    """`BatchBook.plan`, after which both processes of CANNED_MEET stand at the same point."""
    folder, real = Path(os.environ["CANNED_MEET"]), BatchBook.plan

    def plan(*arguments: Any, **options: Any) -> Plan:
        made = real(*arguments, **options)
        _meet(folder)
        return made

    BatchBook.plan = plan  # type: ignore[method-assign]


def _publish_together() -> None:
    """`publish_next`, before which both processes of CANNED_MEET_TO_PUBLISH stand at the same point."""
    folder, real = Path(os.environ["CANNED_MEET_TO_PUBLISH"]), publication.publish_next

    def publish_next(*arguments: Any) -> Any:
        _meet(folder)
        return real(*arguments)

    publication.publish_next = publish_next


def _bodies(batch: str) -> list[bytes]:
    return [f"{batch}/{i}".encode() for i in range(2)]


def _shas(batch: str) -> list[str]:
    return [hashlib.sha256(body).hexdigest() for body in _bodies(batch)]


if __name__ == "__main__":
    from speakervid_dag.cli import app as cli

    replace_stages()
    if "CANNED_MEET" in os.environ:
        _plan_together()
    if "CANNED_MEET_TO_PUBLISH" in os.environ:
        _publish_together()
    cli.main()

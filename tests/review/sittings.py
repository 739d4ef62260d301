"""A published lake whose videos can be played, with hostile names and words, and sittings over it."""

from pathlib import Path

import numpy as np
import polars as pl
from release.report_lake import PROFILE, hostile, publish
from starlette.testclient import TestClient

from speakervid_dag.lake import session, snapshots
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.media.encode import write_video
from speakervid_dag.review import queue, server
from speakervid_dag.review.answers import AnswerBook

HOST, PORT, KEY = "127.0.0.1", 3100, "the-key"
URL = f"http://{HOST}:{PORT}"
LENGTH_S, FPS, WIDTH, HEIGHT = 20, 10, 160, 91


def playable_lake(root: Path) -> DeltaLake:
    """20 s: the picture gets 1 lighter each frame, the tone is that of a person's voice."""
    source = root.parent / "source.mp4"
    pictures = ((i / FPS, np.full((HEIGHT, WIDTH, 3), 20 + i, np.uint8)) for i in range(LENGTH_S * FPS))
    tone = 0.3 * np.sin(2 * np.pi * 150 * np.arange(LENGTH_S * 16_000) / 16_000)
    write_video(source, pictures, FPS, (WIDTH, HEIGHT), tone.astype(np.float32), crf=4)
    frames = hostile()
    frames["videos"] = frames["videos"].with_columns(
        source_uri=pl.lit(str(source)), size_bytes=pl.lit(source.stat().st_size, pl.Int64)
    )
    return publish(root, frames)


def sitting(lake: DeltaLake, reviewer: str, **plan: object) -> server.Sitting:
    root = Path(lake.root)
    newest = snapshots.latest(lake)
    assert newest is not None
    con = session.open_session(lake, newest, read_only_user_sql=True)
    book = AnswerBook(lake, root, reviewer)
    items = queue.build(con, PROFILE, queue.Plan(reviewer, **plan), book.asked())  # type: ignore[arg-type]
    return server.Sitting(con, root, PROFILE, newest.number, book, items)


def client(at: server.Sitting) -> TestClient:
    """One that came in by the printed address, and says where it posts from, as browsers do."""
    made = TestClient(server.app(at, host=HOST, port=PORT, key=KEY), base_url=URL, headers={"origin": URL})
    assert made.get(f"/?key={KEY}").status_code == 200
    return made

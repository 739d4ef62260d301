"""A published lake whose videos can be played, with hostile names and words, and sittings over it."""

from pathlib import Path

import numpy as np
from release.report_lake import PROFILE, hostile, publish
from rows import BATCH
from starlette.testclient import TestClient

from speakervid_dag.files import sha256_of
from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.media.encode import write_video
from speakervid_dag.review import queue, server
from speakervid_dag.review.answers import AnswerBook

HOST, PORT, KEY = "127.0.0.1", 3100, "the-key"
URL = f"http://{HOST}:{PORT}"
LENGTH_S, FPS, WIDTH, HEIGHT = 20, 10, 160, 91


def playable_lake(root: Path) -> DeltaLake:
    """Two files alike, of 20 s: the picture gets 1 lighter each frame, the tone is that of a person's voice."""
    source = root.parent / "source.mp4"
    pictures = ((i / FPS, np.full((HEIGHT, WIDTH, 3), 20 + i, np.uint8)) for i in range(LENGTH_S * FPS))
    tone = 0.3 * np.sin(2 * np.pi * 150 * np.arange(LENGTH_S * 16_000) / 16_000)
    write_video(source, pictures, FPS, (WIDTH, HEIGHT), tone.astype(np.float32), crf=4)
    twin = source.with_name("twin.mp4")
    twin.write_bytes(source.read_bytes() + b"\0\0\0\x08free")  # an empty box: other bytes, the same film
    files = [file_at(path) for path in (source, twin)]
    BatchBook(root).write(BATCH, files)
    return publish(root, hostile([sha256_of(path) for path in (source, twin)]))


def file_at(path: Path) -> SourceFile:
    """A file as a run enlists it."""
    state = path.stat()
    return SourceFile((Place(str(path), state.st_mtime_ns),), state.st_size, sha256_of(path))


def videos(lake: DeltaLake) -> list[str]:
    """video_ids of source.mp4 and twin.mp4."""
    return [file.video_id for file in BatchBook(Path(lake.root)).read(BATCH)]


def sitting(lake: DeltaLake, reviewer: str, **plan: object) -> server.Sitting:
    root = Path(lake.root)
    newest = snapshots.latest(lake)
    assert newest is not None
    con = session.open_session(lake, newest, read_only_user_sql=True)
    book = AnswerBook(lake, root, reviewer)
    items = queue.build(con, PROFILE, queue.ReviewPlan(reviewer, **plan), book.asked())  # type: ignore[arg-type]
    return server.Sitting(con, root, PROFILE, newest.number, book, items)


def client(at: server.Sitting) -> TestClient:
    """One that came in by the printed address, and says where it posts from, as browsers do."""
    made = TestClient(server.app(at, host=HOST, port=PORT, key=KEY), base_url=URL, headers={"origin": URL})
    assert made.get(f"/?key={KEY}").status_code == 200
    return made

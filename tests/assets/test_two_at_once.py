"""Two `speakervid run` on the same folder at the same moment: each file is taken in once, each batch is run once.

Belongs here: two real processes with canned stages. Does not belong here: what one process does after another.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import canned
import dagster as dg
from backfills import assert_every_batch_was_done_once, environment, is_published, made_settings, speakervid

from speakervid_dag import runner
from speakervid_dag.execution import ORIGIN
from speakervid_dag.lake.batches import BatchBook

COUNT = 4


def test_two_runs_of_one_folder_share_its_batches(tmp_path: Path) -> None:
    videos, settings, meeting = tmp_path / "videos", made_settings(tmp_path / "lake"), tmp_path / "meeting"
    meeting.mkdir()
    canned.write_videos(videos, COUNT)
    command = speakervid("run", videos, "--lake", settings.lake)
    there = environment(settings, CANNED_MEET=str(meeting))
    both = [subprocess.Popen(command, env=there, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told

    assert len(list(meeting.iterdir())) == 2, "both had planned before either had enlisted"
    book = BatchBook(settings.lake_dir)
    taken = Counter(file.video_id for batch in book.names() for file in book.read(batch))
    assert set(taken.values()) == {1}
    assert len(taken) == 2 * COUNT
    assert sorted("8 files are in the lake already" in text for text in told) == [False, True]
    assert_every_batch_was_done_once(settings, COUNT)
    assert is_published(settings)
    with runner.lake_instance(settings) as instance:
        runs = instance.get_runs(dg.RunsFilter(tags=ORIGIN))
    batches = Counter(run.tags.get("dagster/partition") for run in runs if "dagster/partition" in run.tags)
    assert batches == Counter(canned.batch_name(n) for n in range(1, COUNT + 1))
    assert all(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)


OPENS = """
import sys, time
from pathlib import Path
from speakervid_dag import runner
from speakervid_dag.config.settings import load_settings
import dagster
import dagster._core.storage.sqlite_storage
lake, meeting = Path(sys.argv[1]), Path(sys.argv[2])
(meeting / sys.argv[3]).touch()
while len(list(meeting.iterdir())) < int(sys.argv[4]):
    time.sleep(0.001)
with runner.lake_instance(load_settings(lake=lake)) as instance:
    print(instance.get_runs_count())
"""


def test_processes_that_open_a_new_lake_together_all_open_it(tmp_path: Path) -> None:
    """Found by the test above: both made Dagster's databases, and one was told that its table exists already."""
    (meeting := tmp_path / "meeting").mkdir()
    command = [sys.executable, "-c", OPENS, str(tmp_path / "lake"), str(meeting)]
    each = [
        subprocess.Popen([*command, str(i), "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(4)
    ]
    told = [process.communicate() for process in each]
    assert [out.strip() for out, _ in told] == ["0"] * 4, told

"""The page over HTTP: strangers stay out, answers land, a changed one replaces, text stays text."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from release.report_lake import HOSTILE_WORDS, PROFILE
from review.sittings import HOST, KEY, PORT, URL, client, sitting, videos
from rows import write_lake
from starlette.testclient import TestClient

from speakervid_dag.cli.app import cli
from speakervid_dag.failures import UserError
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import REVIEWS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.review import server
from speakervid_dag.review.security import is_own_host

pytestmark = pytest.mark.heavy


def test_the_page_is_for_whoever_has_the_key(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        stranger = TestClient(server.app(at, host=HOST, port=PORT, key=KEY), base_url=URL)
        for path in ("/", "/?key=guess", "/items", "/items/0", "/previews/0.mp4", "/review.js"):
            assert stranger.get(path).status_code == 403, path
        page = client(at).get("/")
        assert page.status_code == 200
        assert re.search(r"\bada\b", page.text)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "host", "is_ours"),
    [
        ("127.0.0.1:3100", "127.0.0.1", True),
        ("localhost:3100", "127.0.0.1", True),
        ("LOCALHOST:3100", "127.0.0.1", True),
        ("[::1]:3100", "::1", True),
        ("127.0.0.1:3101", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("evil.example:3100", "127.0.0.1", False),
        ("127.0.0.1.evil.example:3100", "127.0.0.1", False),
        ("192.168.1.7:3100", "127.0.0.1", False),
        ("192.168.1.7:3100", "0.0.0.0", True),
        ("evil.example:3100", "0.0.0.0", False),
        ("", "127.0.0.1", False),
    ],
)
def test_only_our_own_names_are_hosts(header: str, host: str, is_ours: bool) -> None:
    assert is_own_host(header, host, 3100) is is_ours


def test_a_name_pointed_at_us_is_refused(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        assert client(at).get("/items", headers={"host": "evil.example:3100"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1:3100", "http://127.0.0.1:3000", "null", ""]
)
def test_an_answer_from_another_page_is_refused(shared_lake: DeltaLake, origin: str) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        told = client(at).post("/answers", json={"item": 0, "answer": "yes"}, headers={"origin": origin})
        assert told.status_code == 403
    assert shared_lake.read(REVIEWS).is_empty()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"item": 0, "answer": "maybe"}, 400),
        ({"item": 0}, 400),
        ({"item": 9999, "answer": "yes"}, 404),
        ({"item": -1, "answer": "yes"}, 404),
        ({"item": True, "answer": "yes"}, 404),
        (["yes"], 400),
        ({"item": 0, "answer": "y" * 2000}, 413),
    ],
)
def test_what_is_no_answer_is_refused(shared_lake: DeltaLake, body: object, status: int) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        assert client(at).post("/answers", json=body).status_code == status
        form = client(at).post("/answers", content="item=0", headers={"content-type": "text/plain"})
        assert form.status_code == 415
    assert shared_lake.read(REVIEWS).is_empty()


def test_an_answer_lands_and_a_changed_one_replaces_it(lake: DeltaLake) -> None:
    with (at := sitting(lake, "ada")).book:
        page = client(at)
        for index, word in ((0, "yes"), (1, "no"), (0, "unsure")):
            assert page.post("/answers", json={"item": index, "answer": word}).json()["answer"] == word
        assert [i["answer"] for i in page.get("/items").json()["items"]][:3] == ["unsure", "no", None]
    rows = {r["subject_id"]: r for r in lake.read(REVIEWS).to_dicts()}
    assert {s: r["answer"] for s, r in rows.items()} == {
        at.items[0].subject_id: "unsure",
        at.items[1].subject_id: "no",
    }
    row = rows[at.items[0].subject_id]
    assert (row["reviewer"], row["question"], row["snapshot"], row["profile"]) == ("ada", "binding", 1, "laptop")
    assert row["clip_id"].startswith(row["video_id"])
    newest = snapshots.latest(lake)  # published before the answers: they are shown all the same
    with session.open_session(lake, newest, read_only_user_sql=True) as con:
        assert session.run_sql(con, "SELECT count(*) AS n FROM reviews")["n"][0] == 2


def test_items_tell_what_is_seen_and_heard_and_hostile_text_is_text(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        page, by_kind = client(at), {i.kind: n for n, i in enumerate(at.items)}
        pair = page.get(f"/items/{by_kind['pair']}")
        assert pair.headers["content-type"] == "application/json"
        told = pair.json()
        assert [(s["role"], s["from_s"], s["to_s"]) for s in told["sides"]] == [
            ("initiator", 0.0, 4.0),
            ("responder", 4.5, 8.5),
        ]
        assert (told["start_s"], told["duration_s"]) == (1.0, 8.5)
        assert any("0.50 s" in fact for fact in told["facts"])
        assert "onerror" in told["sides"][0]["text"]
        assert "\u2066" in HOSTILE_WORDS
        assert "\u2066" not in told["sides"][0]["text"]
        assert "\u202e" not in told["source"]
        heard = page.get(f"/items/{by_kind['listening']}").json()
        assert [s["role"] for s in heard["sides"]] == ["listener", "speaker"]
        assert (heard["start_s"], heard["duration_s"]) == (5.5, 4.0)
        clip = page.get(f"/items/{by_kind['clip']}").json()
        assert [s["gate"] for s in clip["scores"]] == ["luminance", "snr"]
        assert clip["scores"][0]["threshold"] == 0.5


def test_previews_are_served_in_ranges_and_kept(shared_lake: DeltaLake) -> None:
    with (at := sitting(shared_lake, "ada")).book:
        page = client(at)
        whole = page.get("/previews/0.mp4")
        part = page.get("/previews/0.mp4", headers={"range": "bytes=10-109"})
    assert whole.headers["content-type"] == "video/mp4"
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 10-109/{len(whole.content)}"
    assert part.content == whole.content[10:110]
    (kept,) = (Path(shared_lake.root) / "artifacts" / "previews").rglob("*.mp4")
    assert kept.read_bytes() == whole.content


def test_a_video_that_is_gone_is_told_and_can_be_passed(lake: DeltaLake) -> None:
    for name in ("source.mp4", "twin.mp4"):
        (Path(lake.root).parent / name).unlink()
    with (at := sitting(lake, "ada")).book:
        told = client(at).get("/previews/0.mp4")
        assert (told.status_code, told.json()["reason"]) == (422, "missing_file")
        assert client(at).post("/answers", json={"item": 0, "answer": "unsure"}).status_code == 200


def test_where_there_are_no_clips_nobody_has_answered_them(tmp_path: Path) -> None:
    video = {"batch": "b1", "video_id": "v1", "status": "ok", "duration_s": 9.0}
    snapshots.publish(write_lake(str(tmp_path), {"videos": [video]}), "r", PROFILE)
    told = CliRunner().invoke(cli, ["review", "--no-open", "--lake", str(tmp_path)], catch_exceptions=False)
    assert told.exit_code == 0
    assert "no clips" in told.stderr
    assert "answered" not in told.stderr


def test_the_summary_counts_what_two_people_said(lake: DeltaLake) -> None:
    root = str(lake.root)
    told = CliRunner().invoke(cli, ["review", "--summary", "--lake", root, "--profile", PROFILE])
    assert told.exit_code == 0
    assert "speakervid review" in told.stderr
    header = CliRunner().invoke(cli, ["review", "--summary", "--lake", root, "--format", "csv"]).stdout
    assert {"question", "gate", "subjects", "f1", "f1_low", "suggested_f1_high"} <= set(header.strip().split(","))
    for unknown in (("--gate", "nope"), ("--question", "nope")):
        refused = CliRunner().invoke(cli, ["review", "--summary", "--lake", root, *unknown])
        assert isinstance(refused.exception, UserError)
    for reviewer in ("ada", "ben"):
        with (at := sitting(lake, reviewer, gates=("luminance",))).book:
            for index, item in enumerate(at.items):
                is_spared = reviewer == "ben" and item.subject_id.endswith("p00")
                at.save(index, "no" if item.subject_id.startswith(videos(lake)[0]) and not is_spared else "yes")
    json_of = ["review", "--summary", "--lake", root, "--format", "json"]
    asked = CliRunner().invoke(cli, json_of)
    assert asked.exit_code == 0, asked.output
    rows = {row["gate"]: row for row in json.loads(asked.stdout)}
    # four of V1: ada no, ben two no and two yes; four of V2: yes. Two ties; all pass the gate
    assert set(rows) == {"luminance", "snr"}
    assert (rows["luminance"]["subjects"], rows["luminance"]["undecided"]) == (6, 2)
    assert rows["luminance"]["precision"] == pytest.approx(4 / 6)
    assert rows["luminance"]["light_kappa"] == pytest.approx((6 / 8 - (4 * 6 + 4 * 2) / 64) / (1 - 32 / 64))
    assert rows["luminance"]["f1"] == pytest.approx(8 / 10)
    assert rows["luminance"]["f1_low"] < 0.8 < rows["luminance"]["f1_high"]
    assert rows["luminance"]["suggested_threshold"] is None  # all values are equal
    assert json.loads(CliRunner().invoke(cli, [*json_of, "--gate", "snr"]).stdout) == [rows["snr"]]
    shown = CliRunner().invoke(cli, ["review", "--summary", "--lake", root])
    assert "66.7" in shown.stdout

"""The page: figures that are the lake's, text that stays text, nothing from elsewhere, a failure that stays small."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from click.testing import CliRunner
from mini_lake import V1, mini_lake
from report_lake import HOSTILE_NAME, HOSTILE_WORDS, PROFILE, hostile, publish

from speakervid_dag.cli.app import cli
from speakervid_dag.cli.report import write_after_run
from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.rendering import pages
from speakervid_dag.rendering.text import plain
from speakervid_dag.report import report

pytestmark = pytest.mark.heavy

VOID = {"meta", "link", "img", "br", "input", "hr", "wbr"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "background"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; complains about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.source = text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "wbr":
            self.texts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def figures(self) -> list[str]:
        """What the first paragraph counts: `8 clips`."""
        (lead,) = re.findall(r'<p class="lead">(.*?)</p>', self.source, re.DOTALL)
        return re.findall(r"\d[\d.,]* \w+", lead)

    def count(self, tag: str, class_: str = "") -> int:
        return sum(t == tag and class_ in [*(a.get("class") or "").split(), ""] for t, a in self.tags)


def settings_of(folder: Path) -> Settings:
    return load_settings(lake=folder)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini lake, published once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("lake")
    publish(folder, mini_lake())
    return folder


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose texts are hostile, published once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("strangers")
    publish(folder, hostile())
    return folder


@pytest.fixture(scope="module")
def page(mini: Path) -> Page:
    return Page(report.write_report(settings_of(mini)).read_text("utf-8"))


@pytest.fixture(scope="module")
def text_of_strangers(strangers: Path) -> str:
    return report.write_report(settings_of(strangers)).read_text("utf-8")


def test_the_first_screen_says_what_the_lake_is(page: Page) -> None:
    assert page.figures == ["2 videos", "40 s", "8 clips", "32 s", "4 people"]
    assert re.search(r"\bsft\W+8 32 s\b", page.text)
    assert f"Profile {PROFILE} Snapshot 1" in page.text


def test_each_part_is_there_with_a_heading_and_tables_have_captions(page: Page) -> None:
    ids = {a.get("id") for _, a in page.tags}
    links = {(a.get("href") or "") for t, a in page.tags if t == "a"}
    assert {link[1:] for link in links} <= ids
    assert len(links) >= 11
    assert page.count("h1") == 1
    assert page.count("table") == page.count("caption") > 8
    assert all(a.get("alt") for t, a in page.tags if t == "img")
    assert all(a.get("aria-label") for t, a in page.tags if t == "svg")


def test_every_branch_has_cards_and_each_video_a_timeline(page: Page) -> None:
    assert page.count("article", "card") == 4 + 2 + 2 + 2  # single, dialogue, listening, sequential; no contextual rows
    assert page.count("svg", "timeline") == 2
    assert page.count("div", "noposter") == 4 + 2 * 2 + 2 + 2 * 2
    assert page.text.count("missing file") == page.count("div", "noposter")


def test_thresholds_are_drawn_for_the_gates_of_the_lake(page: Page) -> None:
    assert page.count("line", "threshold") == 2
    assert re.search(r"\bsft\b[^:]* ≥ 0\.5: 0 of 8\b", page.text)


def test_properties_stand_beside_what_the_paper_published(page: Page) -> None:
    assert "03-05 8 100 % · paper 10 %" in page.text
    assert "Language" in page.text


def test_text_of_strangers_stays_text(text_of_strangers: str) -> None:
    page = Page(text_of_strangers)
    assert page.count("script") == page.count("iframe") == page.count("img") == 0
    assert [a for _, a in page.tags if any(name.startswith("on") for name in a)] == []
    assert " ".join(plain(HOSTILE_NAME).split()) in page.text
    assert " ".join(plain(HOSTILE_WORDS).split()) in page.text
    assert "49" not in re.findall(r"alert\(2\).{0,30}", page.text)[0]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", text_of_strangers)


def test_nothing_is_loaded_from_elsewhere(text_of_strangers: str) -> None:
    text = text_of_strangers
    targets = [v or "" for _, a in Page(text).tags for n, v in a.items() if n in LOADING]
    assert [t for t in targets if not t.startswith(("#", "data:"))] == []
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_a_lake_without_clips_still_gives_a_page(lake_dir: Path) -> None:
    frames = mini_lake()
    rejected = frames["videos"].with_columns(status=pl.lit("rejected"), reason=pl.lit("no_video_stream"))
    publish(lake_dir, {"videos": rejected, "stage_outcomes": frames["stage_outcomes"]})
    page = Page(report.write_report(settings_of(lake_dir)).read_text("utf-8"))
    assert page.figures == ["2 videos", "40 s", "0 clips", "0 s", "0 people"]
    assert "no video stream rejected 2" in page.text
    with pytest.raises(UserError, match="'nosuch'"):
        report.write_report(settings_of(lake_dir), profile="nosuch")


def test_the_profile_that_is_asked_for_must_have_decided_something(mini: Path) -> None:
    with pytest.raises(UserError, match=rf"'talkvid'.*\b{PROFILE}\b"):
        report.write_report(settings_of(mini), profile="talkvid")


def test_a_run_that_decided_nothing_reports_the_decisions_there_are(lake_dir: Path) -> None:
    snapshots.publish(publish(lake_dir, mini_lake()), "later", "talkvid")
    page = Page(report.write_report(settings_of(lake_dir)).read_text("utf-8"))
    assert f"Profile {PROFILE} Snapshot 2" in page.text
    assert page.figures[:3] == ["2 videos", "40 s", "8 clips"]


def test_no_lake_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["report", "--lake", str(tmp_path / "none")])
    assert isinstance(done.exception, UserError)


def test_one_timeline_is_an_svg_that_stands_alone(strangers: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.svg"
    done = CliRunner().invoke(cli, ["report", "--lake", str(strangers), "--timeline", V1, "--out", str(out)])
    assert done.output.strip() == str(out)
    drawn = ElementTree.parse(out).getroot()
    kinds = [e.get("class", "") for e in drawn.iter()]
    assert sum(k.startswith("turn bound") for k in kinds) == 2 + 1  # the legend has one
    assert sum(k.startswith("shot") for k in kinds) == 2
    assert not [e for e in drawn.iter() if e.tag.endswith("script")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--timeline", V1), ("--timeline", "--out")),
        (("--timeline", "nobody", "--out", "x.svg"), ("'nobody'",)),
        (("--timeline", "a.mp4", "--out", "x.svg"), ("2 videos", "'a.mp4'")),
        (("--timeline", V1, "--out", "x.svg", "--from", "5", "--to", "4"), ("--from", "--to")),
        (("--timeline", V1, "--out", "x.svg", "--from", "100", "--to", "200"), ("--from", "20.0 s")),
        (("--from", "0"), ("--from", "--timeline")),
        (("--no-words",), ("--no-words", "--timeline")),
    ],
)
def test_wrong_questions_are_told(mini: Path, arguments: tuple[str, ...], told: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["report", "--lake", str(mini), *arguments])
    assert isinstance(done.exception, UserError)
    assert all(word in str(done.exception) for word in told)


def test_a_report_that_fails_does_not_fail_the_run(
    lake_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(lake_dir, mini_lake())
    monkeypatch.setattr(pages, "template_text", lambda *_, **__: "{{ undefined_thing }}")
    pages.environment.cache_clear()
    write_after_run(settings_of(lake_dir))
    pages.environment.cache_clear()
    told = capsys.readouterr().err
    assert "undefined_thing" in told
    assert "speakervid report" in told
    assert not (lake_dir / "report.html").exists()


def test_a_long_file_name_breaks_where_a_person_would_and_stays_escaped() -> None:
    assert pages.breakable("a_b-c.mp4") == "a_<wbr>b-<wbr>c.mp4"
    assert pages.breakable("<b>\u202e_.mp4") == "&lt;b&gt;\ufffd_<wbr>.mp4"

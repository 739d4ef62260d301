"""The review page in a browser: three answers by keyboard on real media, in light and dark, wide and narrow.

Pictures go to .ci/out/.
"""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import uvicorn
from browser.test_report_page import CONTRAST
from loopback import free_port
from review.sittings import HOST, KEY, playable_lake, sitting
from ui import PATIENCE_MS, PICTURES

from speakervid_dag.lake.schemas import REVIEWS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.review import server
from speakervid_dag.review.questions import QUESTIONS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser
IS_PLAYING = "() => { const v = document.querySelector('video'); return v.readyState >= 2 && v.currentTime > 0.3; }"

IS_WAITING = "() => { const v = document.querySelector('video'); return v.readyState >= 2 && v.paused; }"
STATE = """() => {
  const v = document.querySelector('video');
  return [v.src, v.readyState, v.networkState, v.paused, v.currentTime, v.error?.message, document.visibilityState];
}"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DeltaLake:
    return playable_lake(tmp_path_factory.mktemp("review_page") / "lake")


@pytest.fixture(scope="module")
def url(lake: DeltaLake) -> Iterator[str]:
    """The page of a sitting, served as the command serves it."""
    port = free_port()
    with (at := sitting(lake, "ada")).book:
        app = server.app(at, host=HOST, port=port, key=KEY)
        running = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=running.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not running.started and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"http://{HOST}:{port}/?key={KEY}"
        running.should_exit = True
        thread.join(timeout=30)


def until(page: "Page", condition: str, what: str) -> None:
    """Asks again and again: the page's policy forbids the evaluation that `wait_for_function` needs."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, what
        page.wait_for_timeout(100)


def until_it_plays(page: "Page", what: str) -> None:
    """As a person does it: a browser that did not start the sample by itself is asked to with the space bar."""
    deadline, looks = time.monotonic() + PATIENCE_MS / 1000, 0
    while not page.evaluate(IS_PLAYING):
        assert time.monotonic() < deadline, f"{what}: {page.evaluate(STATE)}"
        page.wait_for_timeout(100)
        looks += 1
        if looks % 50 == 0 and page.evaluate(IS_WAITING):
            page.keyboard.press("Space")


def test_three_answers_by_keyboard(chromium: "BrowserContext", url: str, lake: DeltaLake) -> None:
    page, told = chromium.new_page(), list[str]()
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda problem: told.append(str(problem)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(url)
    for number, key in enumerate(("y", "2", "u"), 1):
        page.get_by_role("heading", name=QUESTIONS["binding"].text).wait_for()
        until_it_plays(page, "the sample plays")
        page.keyboard.press("Space")
        until(page, "() => document.querySelector('video').paused", "space pauses")
        page.keyboard.press(key)
        page.get_by_text(f"{number} of 24 answered").wait_for()
    until(page, "() => document.getElementById('saving').textContent === ''", "the answers are stored")
    page.keyboard.press("ArrowLeft")
    until(page, "() => document.querySelector('[aria-pressed=true]')?.dataset.answer === 'unsure'", "the answer shows")
    assert page.locator("img, iframe").count() == 0, "words of a video are no markup"
    assert "onerror" in page.locator("#sides").inner_text()
    page.close()
    assert told == []
    assert sorted(lake.read(REVIEWS)["answer"]) == ["no", "unsure", "yes"]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark"), (390, "light")])
def test_pairs_fit_and_can_be_read(chromium: "BrowserContext", url: str, width: int, scheme: str) -> None:
    page = chromium.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.get_by_role("heading", level=1).first.wait_for()
    page.evaluate("() => show(state.items.findIndex(item => item.question === 'reply'))")
    page.get_by_role("heading", name=QUESTIONS["reply"].text).wait_for()
    until_it_plays(page, "the pair plays")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"review_{width}_{scheme}.png")
    page.close()

"""The report in a browser, from disk: no error, nothing asked of anybody, no sideways scrolling, enough contrast.

Pictures go to .ci/out/.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from release.report_lake import hostile, publish
from ui import PICTURES

from speakervid_dag.config.settings import load_settings
from speakervid_dag.report import report

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.browser

# a text's colour against the first background behind it, by WCAG 2: at least 4.5
CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => rgb(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if ((rgb(c)[3] ?? 1) === 1) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('p, span, b, small, th, td, li, a, h1, h2, h3, dd, dt, summary, caption, q')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility())
    .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 30)]; })
    .filter(([ratio]) => ratio < 4.5).map(([ratio, what]) => ratio.toFixed(1) + ' ' + what);
}"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("report") / "lake"
    publish(lake, hostile())
    return report.write_report(load_settings(lake=lake))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_opens_without_an_error_and_fits(
    chromium: "BrowserContext", page_file: Path, width: int, scheme: str
) -> None:
    page = chromium.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda problem: told.append(str(problem)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else told.append(r.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(page_file.as_uri())
    assert page.get_by_role("heading", name="Funnel").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"report_{width}_{scheme}.png")
    page.close()
    assert told == []

"""A running UI and its page, for browser tests.

Belongs here: what tests do with a page. Does not belong here: starting servers and browsers (conftest.py).
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = REPOSITORY / ".ci" / "out"
PATIENCE_MS = 300_000  # ends what hangs; a busy machine is no failure
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Ui:
    """A running UI: its address, and a page that remembers what it asked for elsewhere."""

    url: str
    page: "Page"
    strangers: list[str] = field(default_factory=list)  # requests to any other host

    def open(self, path: str, text: str, *more: str) -> None:
        """Goes to a page and waits until these texts stand on it."""
        self.page.set_viewport_size({"width": 1600, "height": 1000})
        self.page.goto(self.url + path)
        for wanted in (text, *more):
            self.page.get_by_text(wanted).first.wait_for(timeout=PATIENCE_MS)

    def picture(self, name: str) -> None:
        """Saves what is seen under .ci/out/."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(700)  # animations
        self.page.screenshot(path=PICTURES / f"ui_{name}.png")

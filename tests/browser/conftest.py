"""The UI for browser tests: a canned lake, `dagster dev` in a process group of its own, headless Chromium.

Belongs here: starting and ending them. Does not belong here: what is looked at (test_ui.py).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from loopback import answers, free_port
from ui import CHROMIUM, PATIENCE_MS, QUIET, REPOSITORY, Ui

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Playwright


@pytest.fixture(scope="session")
def canned_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a green batch and one whose clips are refused; made without models."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    lake = tmp_path_factory.mktemp("browser") / "lake"
    maker = Path(__file__).with_name("canned_lake.py")
    done = subprocess.run([sys.executable, str(maker), str(lake)], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return lake


@pytest.fixture(scope="module")  # so that three servers and a browser do not stay for the rest of the tests
def dagster_dev(canned_lake: Path) -> Iterator[str]:
    """Address of `dagster dev`, started as in a checkout after `make demo`: workspace.yaml and .env."""
    checkout = canned_lake.parent / "checkout"
    checkout.mkdir()
    shutil.copyfile(REPOSITORY / "workspace.yaml", checkout / "workspace.yaml")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("SPEAKERVID_", "DAGSTER_"))}
    for_lake = {**plain, "SPEAKERVID_LAKE": str(canned_lake)}
    told = subprocess.check_output([sys.executable, "-m", "speakervid_dag.config.dotenv"], env=for_lake)
    (checkout / ".env").write_bytes(told)
    port, log = free_port(), checkout / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(port)]
        process = subprocess.Popen(command, cwd=checkout, env=plain, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/server_info", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # SIGTERM does not always end `dagster dev`; nothing of it is needed any more
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def player() -> "Iterator[Playwright]":
    """Playwright, one at a time in a process. It ends with the module: its event loop bars any other one meanwhile."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def chromium(player: "Playwright", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[BrowserContext]":
    """Headless Chromium with a new profile."""
    folder = tmp_path_factory.mktemp("chromium")
    context = player.chromium.launch_persistent_context(
        folder, executable_path=CHROMIUM, headless=True, args=list(QUIET)
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture(scope="module")
def ui(dagster_dev: str, player: "Playwright", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A page of headless Chromium on that UI."""
    profile = tmp_path_factory.mktemp("chromium")
    browser = player.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, headless=True, args=list(QUIET), viewport={"width": 1600, "height": 1000}
    )
    made = Ui(dagster_dev, browser.new_page())
    own = (dagster_dev, dagster_dev.replace("http", "ws", 1), "data:", "blob:")
    made.page.on("request", lambda r: None if r.url.startswith(own) else made.strangers.append(r.url))
    yield made
    browser.close()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline and process.poll() is None:
        if answers(url):
            return
        time.sleep(0.3)
    pytest.fail(f"dagster dev does not answer: {log.read_text()[-2000:]}")

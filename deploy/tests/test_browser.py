"""Dagster's UI in a real browser behind the proxy: its own queries pass the rules that others do not."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from deploy.tests.stack import Stack, wait_for

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


class Tab:
    """One page of a browser, by its debugging protocol: with a password in its address a page may not fetch."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """The result of one command."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                result: dict[str, Any] = answer["result"]
                return result

    def text(self) -> str:
        """What the page shows."""
        return str(self.ask("Runtime.evaluate", expression="document.body.innerText")["result"].get("value", ""))


@pytest.fixture
def tab(tmp_path: Path):
    if PROGRAM is None:
        pytest.skip("no browser is installed (Debian: chromium)")
    command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors"]
    command += [f"--user-data-dir={tmp_path / 'browser'}", "--remote-debugging-port=0", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        port_file = tmp_path / "browser" / "DevToolsActivePort"
        port = wait_for(
            "the browser", lambda: port_file.exists() and re.match(r"\d+", port_file.read_text()), 60
        ).group()
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Tab(socket)
    finally:
        browser.kill()
        browser.wait()


@pytest.mark.parametrize(("user", "prefix"), [("operator", "/dagster"), ("viewer", "/view")])
def test_the_ui_shows_what_graphql_tells_it(stack: Stack, tab: Tab, user: str, prefix: str):
    """Names of jobs are in no file that the web server serves: the page has asked for them."""
    password = base64.b64encode(f"{user}:{stack.secret(f'{user}_password')}".encode()).decode()
    tab.ask("Network.enable")
    tab.ask("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {password}"})

    tab.ask("Page.navigate", url=f"https://localhost:{stack.port}{prefix}/jobs")

    wait_for("the list of jobs", lambda: "ingest_drop_job" in tab.text(), 120)

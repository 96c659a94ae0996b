"""Dagster's UI in a real browser behind the proxy: its own queries pass the rules that others do not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.tests.stack import Stack

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


def _page(stack: Stack, user: str, path: str, folder: Path) -> str:
    """The document as the browser has built it after ten seconds of its own clock."""
    address = f"https://{user}:{stack.secret(f'{user}_password')}@localhost:{stack.port}{path}"
    command = [
        str(PROGRAM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--ignore-certificate-errors",
        f"--user-data-dir={folder / 'browser'}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        address,
    ]
    return subprocess.run(command, check=True, capture_output=True, timeout=180, text=True).stdout


@pytest.mark.skipif(PROGRAM is None, reason="no browser is installed (Debian: chromium)")
@pytest.mark.parametrize(("user", "prefix"), [("operator", ""), ("viewer", "/view")])
def test_the_ui_shows_what_graphql_tells_it(stack, tmp_path, user, prefix):
    """Names of jobs are in no file that the web server serves: the page has asked for them."""
    assert "ingest_drop_job" in _page(stack, user, f"{prefix}/jobs", tmp_path)

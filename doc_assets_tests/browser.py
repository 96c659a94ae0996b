"""A real browser without a window, for tests of pages."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


def screenshot(url, target, size=(1366, 768)):
    """What the page looks like, (H, W, 3) uint8; no network but the page itself."""
    shot = ["--hide-scrollbars", f"--window-size={size[0]},{size[1]}", f"--screenshot={target}"]
    _run(url, target.parent, *shot)
    with Image.open(target) as picture:
        return np.asarray(picture.convert("RGB"))


def text_of(url, folder):
    """The page's document as the browser built it."""
    return _run(url, folder, "--dump-dom")


def _run(url, folder, *arguments):
    if PROGRAM is None:
        pytest.skip("no browser is installed (Debian: chromium)")
    closed = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command = [PROGRAM, *closed, f"--user-data-dir={folder / 'browser'}", *arguments, url]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stdout

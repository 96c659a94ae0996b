"""A real browser without a window, for tests of pages."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


def screenshot(url, target, size=(1366, 768)):
    """What the page looks like, (H, W, 3) uint8; no network but the page itself."""
    if PROGRAM is None:
        pytest.skip("no browser is installed (Debian: chromium)")
    command = [
        PROGRAM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={target.parent / 'browser'}",
        f"--window-size={size[0]},{size[1]}",
        f"--screenshot={target}",
        url,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(target) as picture:
        return np.asarray(picture.convert("RGB"))


def text_of(url, folder):
    """The page's document as the browser built it."""
    if PROGRAM is None:
        pytest.skip("no browser is installed (Debian: chromium)")
    command = [
        PROGRAM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'browser'}",
        "--dump-dom",
        url,
    ]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stdout

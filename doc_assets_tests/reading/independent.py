"""ImageMagick as a second opinion on what a TIFF shows; one process reads many files."""

import re
import shutil
import subprocess

import numpy as np
import pytest

needs_imagemagick = pytest.mark.skipif(shutil.which("mogrify") is None, reason="ImageMagick is not installed")


def read_all(files, folder):
    """File -> its pages as (H, W, 3) uint8, upright and over white; [] for what ImageMagick refuses.

    Args:
        files: with different stems.
        folder: where it may write.
    """
    files = sorted(files)
    todo = files
    while todo:
        subprocess.run(
            ["mogrify", "-path", str(folder), "-format", "ppm", "-auto-orient", "-background", "white", "-alpha",
             "remove", "-depth", "8", "-type", "TrueColor", *map(str, todo)],
            check=False, capture_output=True, timeout=300,
        )  # fmt: skip
        # It ends at a file that it cannot read; one that is the first of a try and is not read is such a file.
        n_read = next((i for i, file in enumerate(todo) if not _seen(folder, file).exists()), len(todo))
        todo = todo[max(n_read, 1) :]
    return {file: _pictures(_seen(folder, file)) for file in files}


def _seen(folder, file):
    return folder / f"{file.stem}.ppm"


def _pictures(path):
    """The pictures of a PPM, one behind the other."""
    content = path.read_bytes() if path.exists() else b""
    found, at = [], 0
    while header := re.compile(rb"P6\s+(?:#[^\n]*\n)*(\d+)\s+(\d+)\s+(255|65535)\s").match(content, at):
        width, height, is_deep = int(header[1]), int(header[2]), header[3] != b"255"
        n = width * height * 3
        samples = np.frombuffer(content, ">u2" if is_deep else np.uint8, n, header.end())
        found.append(np.rint(samples / (257 if is_deep else 1)).astype(np.uint8).reshape(height, width, 3))
        at = header.end() + n * (1 + is_deep)
    return found

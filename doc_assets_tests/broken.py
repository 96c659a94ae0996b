"""Small documents with marks by which a test makes one of them break, wherever it wants."""

import shutil

import numpy as np
from PIL import Image

from doc_assets.lab.pictures import draw_picture

PAGE_PX = (620, 877)
MARK = (7, 11, 13)
"""The first pixel of a page that a test breaks."""


def page(*pictures, marked=False):
    """A page with one or two photos, one below the other."""
    width, height = PAGE_PX
    sheet = Image.new("RGB", (width, height), (253, 253, 253))
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture).resize((449, 314)), (86, 80 + 400 * number))
    if marked:
        sheet.putpixel((0, 0), MARK)
    return sheet


def red(picture):
    """A picture of red alone, which a test can tell from all others whatever was done to it."""
    only = np.zeros_like(picture)
    only[..., 0] = picture.mean(axis=2)
    return only


def is_red(photo):
    """Whether a photo is one of ``red``."""
    return float(np.asarray(photo)[..., 1:].mean()) < 12


def is_marked(found):
    """Whether a page is a marked one."""
    return tuple(int(value) for value in found.pixels[0, 0]) == MARK


def write(path, *pages):
    """The pages as a TIF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pages[0].save(path, save_all=True, append_images=list(pages[1:]), compression="tiff_lzw")


def draw_folder(folder, n, first=500):
    """``DOC00001.tif`` and so on, two photos each, all different."""
    for number in range(1, n + 1):
        pictures = (draw_picture(first + 2 * number), draw_picture(first + 2 * number + 1))
        write(folder / f"DOC{number:05d}.tif", page(*pictures))


def copy(source, target):
    """Another document with the same photos and other bytes."""
    shutil.copy(source, target)
    with target.open("ab") as file:
        file.write(b" ")

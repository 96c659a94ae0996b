"""A corpus of drawn inspection documents with known re-use: an archive, incoming documents, and the truth."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic_core import to_jsonable_python

from doc_assets.datatypes import Box, RgbImage
from doc_assets.lab.attacks import attack
from doc_assets.lab.forms import Style, form_page, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture, in_processes

VERSION = 2
TRUTH_NAME = "truth.json"
IDENTICAL = "whole file"
"""Re-use by copying the file under another name."""

_FORM_PAGE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Reuse:
    """A photo that already served: of which document, which photo there, and what was done to it."""

    source_document: str
    source_photo: int
    attack: str


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """All that a document is drawn from.

    Attributes:
        name: file name.
        folder: ``archive`` or ``incoming``.
        style: of its pages.
        pictures: numbers of the pictures on it, in reading order.
        seed: of everything else that is random.
        reuse: which of its photos is a re-used one.
        reused_photo: that photo's index.
        form_page: whether a page without photos comes first.
    """

    name: str
    folder: str
    style: Style
    pictures: tuple[int, ...]
    seed: int
    form_page: bool
    reuse: Reuse | None = None
    reused_photo: int = 0


@dataclass(frozen=True, slots=True)
class PhotoTruth:
    """Where a photo is."""

    page_index: int
    box: Box


def plan_corpus(n_archive: int, incoming: list[str | None], seed: int) -> list[DocumentPlan]:
    """Plans ``n_archive`` archive documents and one incoming document for each entry, the same ones for the same seed.

    An entry is the attack on the photo that is re-used, ``IDENTICAL`` for a copied file, None for an honest document.
    """
    rng = np.random.default_rng([seed, 4])
    plans: list[DocumentPlan] = []
    next_picture = seed * 100_000
    sources = list(range(n_archive))
    rng.shuffle(sources)
    for number in range(n_archive + len(incoming)):
        folder = "archive" if number < n_archive else "incoming"
        what = None if folder == "archive" else incoming[number - n_archive]
        style = Style(str(rng.choice([str(style) for style in Style])))
        pictures = tuple(range(next_picture, next_picture + style.n_photos))
        next_picture += style.n_photos
        reuse, slot = None, int(rng.integers(style.n_photos))
        if what is not None:
            source = plans[sources[(number - n_archive) % n_archive]]
            reuse = Reuse(source.name, int(rng.integers(len(source.pictures))), what)
        name, own_seed = _name(number, rng, folder), int(rng.integers(1 << 31))
        has_form = bool(rng.random() < _FORM_PAGE_SHARE)
        plans.append(DocumentPlan(name, folder, style, pictures, own_seed, has_form, reuse, slot))
    return plans


def draw_corpus(folder: Path, plans: list[DocumentPlan], workers: int = os.cpu_count() or 1) -> None:
    """Draws every document into ``archive/`` and ``incoming/`` below ``folder``, and the truth beside them.

    A corpus of the same plans that is already there is left alone.
    """
    truth_path = folder / TRUTH_NAME
    wanted = to_jsonable_python({"version": VERSION, "plans": [asdict(plan) for plan in plans]})
    if truth_path.exists() and json.loads(truth_path.read_text(encoding="utf-8"))["corpus"] == wanted:
        return
    for part in ("archive", "incoming"):
        shutil.rmtree(folder / part, ignore_errors=True)
    by_name = {plan.name: plan for plan in plans}
    tasks = [(folder, plan, by_name[plan.reuse.source_document] if plan.reuse else None) for plan in plans]
    truths = in_processes(_draw_task, tasks, "drawing documents", workers, batch=4)
    photos = {
        plan.name: [{"page_index": photo.page_index, "box": photo.box.as_list()} for photo in truth]
        for plan, truth in zip(plans, truths, strict=True)
    }
    for plan in plans:  # a copied file shows what its source shows
        if plan.reuse and plan.reuse.attack == IDENTICAL:
            shutil.copyfile(folder / "archive" / plan.reuse.source_document, folder / plan.folder / plan.name)
            photos[plan.name] = photos[plan.reuse.source_document]
    truth = json.dumps({"corpus": wanted, "photos": photos}, ensure_ascii=False, indent=1)
    truth_path.write_text(truth, encoding="utf-8")


def _draw_task(task: tuple[Path, DocumentPlan, DocumentPlan | None]) -> list[PhotoTruth]:
    folder, plan, source = task
    if plan.reuse is not None and plan.reuse.attack == IDENTICAL:
        (folder / plan.folder).mkdir(parents=True, exist_ok=True)
        return []
    pages, truth = draw_document(plan, source)
    write_tif(folder / plan.folder / plan.name, pages, plan.style)
    return truth


def draw_document(plan: DocumentPlan, source: DocumentPlan | None) -> tuple[list[RgbImage], list[PhotoTruth]]:
    """The pages of a planned document, which may re-use a photo of ``source``, and where its photos are."""
    rng = np.random.default_rng([plan.seed, 5])
    photos = [draw_picture(number) for number in plan.pictures]
    if plan.reuse is not None and source is not None:
        original = draw_picture(source.pictures[plan.reuse.source_photo])
        photos[plan.reused_photo] = attack(plan.reuse.attack, original, plan.seed)
    pages = [form_page(plan.name[9:14], rng)] if plan.form_page else []
    drawn = photo_page(photos, plan.style, 1, rng)
    truth = [PhotoTruth(len(pages), box) for box in drawn.boxes]
    return [*pages, drawn.pixels], truth


def _name(number: int, rng: np.random.Generator, folder: str) -> str:
    """As the archive names files: key ``N<yyyymmdd><seq>THA00001`` is stored as ``N...THA00100001_<n>.tif``."""
    year = 2023 if folder == "archive" else 2024  # what is re-used was there first
    date = f"{year}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
    return f"N{date}{number:05d}THA00100001_{rng.integers(1, 20)}.tif"

"""Photo extraction: boxes found against the truth, over all page styles.

    python -m benchmarks.extraction [--seeds 5 6 7] [--drawn 12]

Two sources: documents composed from real photographs (all attacks, styles of the composer), and documents that the
package draws (more styles: tables, four a page, landscape, noisy paper). A photo counts as found if a box overlaps it
by 0.9 (intersection over union), 0.8 on skewed pages, whose truth is the bounding box of a turned rectangle.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.report import Row, arguments, compose, print_table, save
from doc_assets.datatypes import Box, Page
from doc_assets.lab.corpus import draw_document, plan_corpus
from doc_assets.photos.base import PhotoExtractor, make_extractor
from doc_assets.reading.sandbox import DocumentReader

Measured = tuple[str, list[float], int]
"""Style, overlap of every true photo with its best box, boxes that belong to no photo."""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--drawn", type=int, default=100, help="documents drawn by the package")
    options = parser.parse_args()
    extractor = make_extractor("layout", {})
    rows = []
    with DocumentReader() as reader:
        composed = (m for seed in options.seeds for m in _composed(options.work, seed, reader, extractor))
        rows += _table("real photographs", composed)
    rows += _table("drawn", _drawn(options.drawn, extractor))
    print_table(rows)
    save("extraction", {"seeds": options.seeds, "drawn": options.drawn, "extractor": extractor.version}, rows)


def _composed(work: Path, seed: int, reader: DocumentReader, extractor: PhotoExtractor) -> Iterator[Measured]:
    corpus = compose(work / f"bar-{seed}", archive=44, incoming=56, reuse=0.93, max_pages=1, seed=seed)
    for document in json.loads((corpus / "truth.json").read_text(encoding="utf-8"))["documents"]:
        content = (corpus / document["folder"] / document["document"]).read_bytes()
        found: dict[int, list[Box]] = defaultdict(list)

        def on_page(page: Page, found: dict[int, list[Box]] = found) -> None:
            found[page.page_index] += [area.box for area in extractor.find(page.pixels)]

        reader.read(content, on_page)
        truth = [(photo["page_index"], Box(*photo["box"])) for photo in document["photos"]]
        yield document["style"], *_compare(truth, found)


def _drawn(n: int, extractor: PhotoExtractor) -> Iterator[Measured]:
    for plan in plan_corpus(n, [], seed=9):
        pages, photos = draw_document(plan, None)
        found = {i: [area.box for area in extractor.find(page)] for i, page in enumerate(pages)}
        yield str(plan.style), *_compare([(photo.page_index, photo.box) for photo in photos], found)


def _compare(truth: list[tuple[int, Box]], found: dict[int, list[Box]]) -> tuple[list[float], int]:
    overlaps = [max((box.overlap(other) for other in found.get(page, [])), default=0.0) for page, box in truth]
    extra = sum(
        all(box.overlap(other) < 0.3 for at, other in truth if at == page)
        for page, boxes in found.items()
        for box in boxes
    )
    return overlaps, extra


def _table(source: str, measured: Iterator[Measured]) -> list[Row]:
    overlaps: dict[str, list[float]] = defaultdict(list)
    extra: dict[str, int] = defaultdict(int)
    for style, values, more in measured:
        overlaps[style] += values
        extra[style] += more
    rows = [_row(source, style, overlaps[style], extra[style]) for style in sorted(overlaps)]
    found = sum(row["found"] for row in rows)
    photos = sum(row["photos"] for row in rows)
    pooled = [value for values in overlaps.values() for value in values]
    total = {"source": source, "style": "all", "photos": photos, "found": found, "share": found / photos}
    return [*rows, {**total, "mean_overlap": float(np.mean(pooled)), "extra_boxes": sum(extra.values())}]


def _row(source: str, style: str, overlaps: list[float], extra: int) -> Row:
    wanted = 0.8 if style == "skewed" else 0.9
    found = sum(value >= wanted for value in overlaps)
    return {
        "source": source,
        "style": style,
        "photos": len(overlaps),
        "found": found,
        "share": found / len(overlaps),
        "mean_overlap": float(np.mean(overlaps)),
        "extra_boxes": extra,
    }


if __name__ == "__main__":
    main()

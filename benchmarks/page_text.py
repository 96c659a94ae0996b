"""Pages found by text: recall of titled pages, form pages taken for them, and what a page costs.

    python -m benchmarks.page_text [--seeds 11 12 13] [--documents 60] [--drawn 60]

Documents composed from real photographs in all page styles, and documents that the package draws (more styles:
tables, landscape, noisy paper). Photo pages carry the title 가맹점 실사 사진, form pages
가맹점 실사 보고서, which must not be found. Each page is looked at three times more after quarter turns, so that pages
upside down and on either side count as much as upright ones. CPU milliseconds are those of finding lines, reading
them and all turns tried, in this process and in the engine's, one page at a time; decoding the TIF and starting
the engine are left out. "exact" counts pages found without a misread letter.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Row, arguments, compose, print_table, save
from doc_assets.datatypes import Page
from doc_assets.lab.corpus import draw_document, plan_corpus
from doc_assets.lab.forms import form_page
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import PageFinder, PageFinding, make_finder
from doc_assets.reading.text.matching import WantedText
from doc_assets.settings import load_settings


@dataclass(frozen=True, slots=True)
class Looked:
    """One page in one turn."""

    style: str
    source: str
    turns: int
    titled: bool
    finding: PageFinding
    cpu_ms: float


def main() -> None:
    import cv2

    cv2.setNumThreads(1)
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--documents", type=int, default=60, help="documents of each seed")
    parser.add_argument("--drawn", type=int, default=60, help="documents drawn by the package")
    parser.add_argument("--zone", nargs="+", default=["top=0.15"])
    parser.add_argument("--max-errors", type=int, default=load_settings().page_text_max_errors)
    options = parser.parse_args()
    finder = _finder(options.zone, options.max_errors)
    _warm(finder)
    looked: list[Looked] = []
    with DocumentReader() as reader:
        for seed in options.seeds:
            folder = options.work / f"text-{seed}-{options.documents}"
            corpus = compose(folder, archive=options.documents, incoming=0, repeat=None, seed=seed)
            looked += _corpus(corpus, reader, finder)
    looked += _drawn(options.drawn, finder)
    for one in looked:
        if one.finding.found != one.titled or one.finding.error:
            print("wrong:", one.style, one.turns, one.finding)
    rows = [
        _row(source, style, turned, part)
        for source in ("composed", "drawn")
        for turned in (False, True)
        for style, part in _by_style([one for one in looked if (one.turns > 0, one.source) == (turned, source)])
    ]
    print_table(rows)
    settings = {"seeds": options.seeds, "documents": options.documents, "finder": finder.version}
    save("page_text", settings, rows)


def _finder(zones: list[str], max_errors: int) -> PageFinder:
    settings = load_settings()
    return make_finder(
        wanted=settings.page_text_wanted,
        mode=settings.page_text_mode,
        max_errors=max_errors,
        zones=zones,
        engine=settings.page_text_engine,
        engine_options=settings.page_text_engine_options,
        timeout_s=settings.page_text_timeout_s,
    )


def _corpus(corpus: Path, reader: DocumentReader, finder: PageFinder) -> Iterator[Looked]:
    for document in json.loads((corpus / "truth.json").read_text(encoding="utf-8"))["documents"]:
        titled = {photo["page_index"] for photo in document["photos"]}
        pages: list[Page] = []
        reader.read((corpus / document["folder"] / document["document"]).read_bytes(), pages.append)
        for page in pages:
            yield from _turned(finder, page, "composed", document["style"], titled=page.page_index in titled)


def _drawn(n: int, finder: PageFinder) -> Iterator[Looked]:
    for plan in plan_corpus(n, [], seed=9):
        pages, photos = draw_document(plan, None)
        titled = {photo.page_index for photo in photos}
        for index, pixels in enumerate(pages):
            yield from _turned(finder, Page(index, pixels), "drawn", str(plan.style), titled=index in titled)


def _turned(finder: PageFinder, page: Page, source: str, style: str, *, titled: bool) -> Iterator[Looked]:
    """The page in four turns."""
    for turns in range(4):
        turned = Page(page.page_index, np.ascontiguousarray(np.rot90(page.pixels, turns)))
        began = _cpu_s()
        finding = finder.of_document("", None).look(turned)
        yield Looked(style, source, turns, titled, finding, (_cpu_s() - began) * 1000)


def _warm(finder: PageFinder) -> None:
    """Starts the engine."""
    page = form_page("0", np.random.default_rng(0))
    finder.of_document("", None).look(Page(0, page))


def _cpu_s() -> float:
    """CPU seconds of this process and of its children that still live."""
    total = time.process_time()
    for path in Path("/proc/self/task").glob("*/children"):
        for child in path.read_text(encoding="ascii").split():
            fields = Path(f"/proc/{child}/schedstat").read_text(encoding="ascii").split()
            total += int(fields[0]) / 1e9
    return total


def _by_style(looked: Sequence[Looked]) -> list[tuple[str, list[Looked]]]:
    parts: dict[str, list[Looked]] = defaultdict(list)
    for one in looked:
        parts[one.style].append(one)
    return [*sorted(parts.items()), ("all", list(looked))]


def _row(source: str, style: str, turned: bool, looked: list[Looked]) -> Row:
    exact = WantedText(load_settings().page_text_wanted, max_errors=0)
    titled = [one for one in looked if one.titled]
    costs = [one.cpu_ms for one in looked]
    return {
        "source": source,
        "turned": "90, 180, 270" if turned else "as is",
        "style": style,
        "titled": len(titled),
        "found": sum(one.finding.found for one in titled),
        "exact": sum(one.finding.found and exact.find(one.finding.snippet) is not None for one in titled),
        "recall": sum(one.finding.found for one in titled) / max(1, len(titled)),
        "form_pages": len(looked) - len(titled),
        "forms_found": sum(one.finding.found for one in looked if not one.titled),
        "cpu_ms": float(np.mean(costs)),
        "cpu_ms_p95": float(np.percentile(costs, 95)),
        "wall_ms": float(np.mean([one.finding.elapsed_ms for one in looked])),
    }


if __name__ == "__main__":
    main()

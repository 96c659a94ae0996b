"""The demo: drawn documents with known re-use, and how the answers of a search compare with the truth."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from doc_assets.archive.ledger.results import FoundDocument, ResultRecord
from doc_assets.datatypes import View
from doc_assets.lab.corpus import IDENTICAL, DocumentPlan, Reuse, draw_corpus, plan_corpus

N_ARCHIVE = 60
INCOMING: list[str | None] = [
    IDENTICAL,
    "recompressed",
    "cropped slightly",
    "cropped",
    "turned by 90°",
    "turned by 180°",
    "mirrored",
    "tilted",
    "tone changed",
    "blurred",
    "grey",
    "faxed",
    "overprinted",
    "at an angle",
    "printed and scanned",
    "from a screen",
    "cropped, printed and scanned",
    None,
    None,
    None,
]
"""What was done to the photo that an incoming document re-uses; None for an honest one."""
N_PLANTED = sum(what is not None for what in INCOMING)
_SEED = 20
_WANTED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search recorded of an incoming document, and the re-use that is true of it; None for an honest one."""

    result: ResultRecord
    reuse: Reuse | None

    @property
    def best(self) -> FoundDocument:
        """The document that came first."""
        return self.result.top_docs[0]

    @property
    def is_right(self) -> bool:
        """Whether the document with the re-used photo came first, and of an honest one no photo was matched."""
        if self.reuse is None:
            return self.best.n_matched_photos == 0
        return self.best.document == self.reuse.source_document

    @property
    def seen_as(self) -> str:
        """In which way the best document's photo was recognised."""
        best = self.best
        if best.exact_duplicate:
            return "identical file"
        if best.n_matched_photos == 0:
            return "no re-use"
        view = View(best.matches[0].quarter_turns, best.matches[0].mirrored)
        turned = f"turned by {90 * view.quarter_turns}°" if view.quarter_turns else ""
        return ", ".join(filter(None, ["mirrored" if view.mirrored else "", turned])) or "same view"


def draw_demo(folder: Path) -> list[DocumentPlan]:
    """Draws its documents into ``archive/`` and ``incoming/`` below ``folder``; returns their plans."""
    plans = plan_corpus(N_ARCHIVE, INCOMING, _SEED)
    draw_corpus(folder, plans)
    return plans


def compared(results: Iterable[ResultRecord], plans: Iterable[DocumentPlan]) -> list[Answer]:
    """The answers beside the truth."""
    reuses = {plan.name: plan.reuse for plan in plans}
    return [Answer(result, reuses[result.query_document]) for result in results]


def n_found(answers: Iterable[Answer]) -> int:
    """How many planted re-uses came first."""
    return sum(answer.is_right for answer in answers if answer.reuse is not None)


def are_enough(n: int) -> bool:
    """Whether at least nine in ten planted re-uses came first."""
    return n >= _WANTED_SHARE * N_PLANTED

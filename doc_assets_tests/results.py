"""Results of searches made by hand."""

from dataclasses import replace
from datetime import date

from doc_assets.archive.ledger.results import EarlierFields, Finding, FoundDocument, PhotoPair, ResultRecord, Use

DAY = date(2024, 3, 1)
EARLIER = date(2023, 3, 1)


def a_pair(**changed) -> PhotoPair:
    """A matched pair: photo 0 of the query on page 1, photo 1 of the found document on page 2."""
    pair = PhotoPair(
        query_page=1,
        query_photo=0,
        query_box=(1, 2, 3, 4),
        page=2,
        photo=1,
        box=(5, 6, 7, 8),
        matched=True,
        similarity=0.91,
        quarter_turns=1,
        mirrored=False,
        probability=0.97,
        inliers=44,
    )
    return replace(pair, **changed)


def a_found(*pairs: PhotoPair, **changed) -> FoundDocument:
    """An earlier document of another merchant that shows these pairs."""
    found = FoundDocument(
        document="earlier.tif",
        document_id="earlier",
        merchant_id="1234567890",
        document_date=EARLIER,
        date_source="name",
        drop="bulk-000001",
        relation="archive",
        score=0.91,
        exact_duplicate=False,
        same_batch=False,
        matches=pairs,
        counts=True,
        n_matched_photos=len({pair.query_photo for pair in pairs if pair.matched}),
    )
    if "document" in changed:
        changed.setdefault("document_id", changed["document"].removesuffix(".tif"))
    return replace(found, **changed)


def a_use(found: FoundDocument) -> Use:
    """A found document as a first use."""
    return Use(found.document, found.merchant_id, found.document_date or EARLIER, found.date_source or "arrival")


def a_finding(found: FoundDocument, **changed) -> Finding:
    """That photo 0 is a re-use of this document's."""
    finding = Finding(
        photo=0,
        page=1,
        kind="reuse",
        counts=True,
        probability=0.97,
        first_use=a_use(found),
        found_in=found.document,
        n_documents=1,
        n_merchants=1,
    )
    return replace(finding, **changed)


def a_result(*found: FoundDocument, name: str = "q.tif", **changed) -> ResultRecord:
    """A result about a document of merchant m1 of 1 March 2024 with two photos; without labels but those given."""
    result = ResultRecord(
        query_document=name,
        document_id=name.removesuffix(".tif"),
        position=0,
        merchant_id="m1",
        document_date=DAY,
        date_source="name",
        state="ok",
        error=None,
        n_photos=2,
        elapsed_s=0.25,
        top_docs=found,
        legacy=EarlierFields(image_authenticity={"q_q_0.jpg": "unknown"}),
        risk_score=0.0,
    )
    return replace(result, **changed)


def a_reuse(*found: FoundDocument, **changed) -> ResultRecord:
    """A result that is flagged because of the first found document."""
    first = found[0]
    findings = (a_finding(first),)
    if first.exact_duplicate:
        findings = (a_finding(first, photo=None, page=None, probability=1.0), *findings)
    return a_result(*found, **{"findings": findings, "risk_score": 0.97, "flagged": True, **changed})

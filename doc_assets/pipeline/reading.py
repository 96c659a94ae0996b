"""Stage ``documents``: every file of a drop is staged, hashed, read page by page, and accounted for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.ledger.document_faults import READING, StageFault
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.rows import Document, ReadOutcome
from doc_assets.archive.pruning import remove_superseded
from doc_assets.errors import AccountingError, UnreadableDocumentError
from doc_assets.faults import DocumentState, FaultCode, ReadReport
from doc_assets.pipeline.stage import run_stage
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.sources.names import display_name, real_path
from doc_assets.sources.origin import read_origin
from doc_assets.sources.staging import read_staged, stage, staged_path
from doc_assets.util.digests import sha256_of
from doc_assets.util.isolation import Failure, attempt

STAGE = "documents"
VERSION = "documents-1"
_WORST_SHOWN = 50
_FORGOTTEN = (
    "A document of this content was forgotten on request, perhaps under another name. It is not taken again; "
    "`doc-assets forget --allow DOCUMENT`, with the name it was forgotten under, lets it in."
)

_SAME_ID = (
    "{own} would be the document {id}, and so would {other}, which came with it and has other content. That one is in "
    "the archive; give this one another name and drop it again."
)


@dataclass(slots=True)
class DocumentsReport:
    """What became of a drop's documents.

    Attributes:
        states: number of documents by state; they add up to the drop.
        pages: pages that can be used.
        faulty: documents that were rejected or are partial, the first fifty.
    """

    states: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    faulty: list[Document] = field(default_factory=list)

    @property
    def n_documents(self) -> int:
        """Documents in all."""
        return self.states.total()

    @property
    def rejected_share(self) -> float:
        """Share of documents that could not be read, 0 for an empty drop."""
        return self.states[DocumentState.REJECTED] / self.n_documents if self.n_documents else 0.0


def read_drop(archive: Archive, reader: DocumentReader, drop_key: str, now: datetime) -> DocumentsReport:
    """Reads what is pending of a drop, and what was rejected for a passing reason.

    Raises:
        ServiceError: if the disk is full or no decoder can be started; nothing is recorded as rejected for that.
    """

    def work(chunk: Chunk) -> int:
        _read_chunk(archive, reader, chunk)
        remove_superseded(archive, chunk)
        return len(chunk.positions)

    n_files = sum(run_stage(archive, Stage(STAGE, "", VERSION), "documents", drop_key, now, work))
    faulty = (DocumentState.REJECTED, DocumentState.PARTIAL)
    states = archive.ledger.documents.states_of_drop(drop_key)
    _require_all_settled(states, n_files, drop_key)
    return DocumentsReport(
        states=states,
        pages=archive.ledger.documents.pages_of_drop(drop_key),
        faulty=archive.ledger.documents.of_drop(drop_key, faulty, _WORST_SHOWN),
    )


def _require_all_settled(states: Counter[str], n_files: int, drop_key: str) -> None:
    """Holds that every file of a drop came to something; forgotten documents have left their drop.

    Raises:
        AccountingError: if one did not.
    """
    settled = sum(states[state] for state in DocumentState if state != DocumentState.PENDING)
    if settled != sum(states.values()) or settled > n_files:
        counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        raise AccountingError(
            f"Drop {drop_key} was sealed with {n_files} files, the ledger accounts for {settled}: {counts}. "
            "This is a defect of the program; report it with the log."
        )


def _read_chunk(archive: Archive, reader: DocumentReader, chunk: Chunk) -> None:
    documents = archive.ledger.documents.of_chunk(chunk.drop_key, chunk.positions)
    read_in_part = archive.ledger.faults.of(READING, "", [document.id for document in documents])
    todo = [document for document in documents if _is_due(document, read_in_part.get(document.id, []))]
    if not todo:
        return
    known = archive.ledger.documents.latest_before(
        [document.document_id for document in todo], min(document.id for document in documents)
    )
    digests = {name: document.sha256 for name, document in known.items()}
    rivals = archive.ledger.documents.rivals(chunk.drop_key, sorted({document.document_id for document in todo}))

    def read(document: Document) -> ReadOutcome:
        return _read(archive, reader, document, digests.get(document.document_id))

    outcomes = list(reader.threads.map(read, todo))
    settled = _without_rivals(todo, outcomes, rivals)
    archive.ledger.documents.record_read(_without_repeats(todo, settled, digests))


def _is_due(document: Document, read_in_part: Sequence[StageFault]) -> bool:
    """Whether it was not read yet, or with a fault that may pass; what later stages left out is theirs to do."""
    if document.state == DocumentState.PENDING:
        return True
    codes = [document.reason_code] if document.state == DocumentState.REJECTED else []
    codes += [fault.code for fault in read_in_part]
    return any(code and FaultCode(code).is_passing for code in codes)


def _read(archive: Archive, reader: DocumentReader, document: Document, known_sha256: str | None) -> ReadOutcome:
    digest: list[str] = []
    read = attempt(f"document {document.id}", lambda: _read_content(archive, reader, document, known_sha256, digest))
    if not isinstance(read, Failure):
        return read
    code = read.code or FaultCode.FAILED
    return ReadOutcome(document.id, next(iter(digest), None), DocumentState.REJECTED, code, read.reason, None)


def _read_content(
    archive: Archive, reader: DocumentReader, document: Document, known_sha256: str | None, digest: list[str]
) -> ReadOutcome:
    """What reading came to; ``digest`` takes that of the content as soon as it is known."""
    content = _content(archive, reader, document)
    sha256 = sha256_of(content)
    if archive.ledger.tombstones.is_forgotten_content(sha256):
        # Without the digest, which would say what was forgotten.
        return ReadOutcome(document.id, None, DocumentState.REJECTED, FaultCode.FORGOTTEN, _FORGOTTEN, None)
    if sha256 == known_sha256:
        return ReadOutcome(document.id, sha256, DocumentState.DUPLICATE, None, None, None)
    digest.append(sha256)
    stage(archive.bulk, sha256, content)
    return _outcome(document, sha256, reader.read(content))


def _content(archive: Archive, reader: DocumentReader, document: Document) -> bytes:
    """The document's bytes; of one that was read before and whose file is gone, the copy that was made then."""
    try:
        return read_origin(document.source_path, archive.bulk, reader.limits.max_file_bytes)
    except UnreadableDocumentError as error:
        is_kept = document.sha256 is not None and staged_path(archive.bulk, document.sha256).exists()
        if error.code != FaultCode.GONE or not is_kept:
            raise
        return read_staged(archive.bulk, str(document.sha256))


def _outcome(document: Document, sha256: str, report: ReadReport) -> ReadOutcome:
    return ReadOutcome(
        document.id, sha256, report.state, report.reason_code, report.reason or None, len(report.pages_read)
    )


def _without_rivals(
    documents: Sequence[Document], outcomes: Sequence[ReadOutcome], rivals: dict[str, Document]
) -> list[ReadOutcome]:
    """The outcomes, with files rejected whose id another file of the same ingestion has, with other content.

    The first that could be read keeps the id. A newer version that comes in a later ingestion replaces it as ever.
    """
    holders = {name: (document.source_path, document.sha256) for name, document in rivals.items()}
    settled = []
    for document, outcome in zip(documents, outcomes, strict=True):
        if outcome.state == DocumentState.REJECTED:
            settled.append(outcome)
            continue
        path, sha256 = holders.setdefault(document.document_id, (document.source_path, outcome.sha256))
        is_rival = sha256 != outcome.sha256 and path != document.source_path
        settled.append(_as_rival(document, outcome, path) if is_rival else outcome)
    return settled


def _as_rival(document: Document, outcome: ReadOutcome, other_path: str) -> ReadOutcome:
    own, other = _shown(document.source_path), _shown(other_path)
    reason = _SAME_ID.format(own=own, id=document.document_id, other=other)
    return ReadOutcome(document.id, outcome.sha256, DocumentState.REJECTED, FaultCode.SAME_ID, reason, None)


def _shown(path: str) -> str:
    return display_name(str(real_path(path)))


def _without_repeats(
    documents: Sequence[Document], outcomes: Sequence[ReadOutcome], digests: dict[str, str | None]
) -> list[ReadOutcome]:
    """The outcomes, with files that repeat an earlier one of the same chunk marked as duplicates."""
    latest = dict(digests)
    settled = []
    for document, outcome in zip(documents, outcomes, strict=True):
        if outcome.sha256 is not None and outcome.sha256 == latest.get(document.document_id):
            settled.append(ReadOutcome(outcome.row_id, outcome.sha256, DocumentState.DUPLICATE, None, None, None))
            continue
        if DocumentState(outcome.state).is_readable:
            latest[document.document_id] = outcome.sha256
        settled.append(outcome)
    return settled

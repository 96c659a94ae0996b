"""Why a document or one of its pages could not be used, as stable codes."""

from dataclasses import dataclass
from enum import StrEnum

_MAX_FAULTS_SHOWN = 10


class FaultCode(StrEnum):
    """Stable names of reasons; they stand in the ledger, in reports and in alerts."""

    EMPTY = "E_EMPTY"
    NOT_TIFF = "E_NOT_TIFF"
    FILE_TOO_LARGE = "E_FILE_TOO_LARGE"
    NO_PAGE = "E_NO_PAGE"
    BROKEN_DIRECTORY = "E_BROKEN_DIRECTORY"
    LOOP = "E_LOOP"
    TRUNCATED = "E_TRUNCATED"
    TOO_MANY_PAGES = "E_TOO_MANY_PAGES"
    PAGE_TOO_LARGE = "E_PAGE_TOO_LARGE"
    DOCUMENT_TOO_LARGE = "E_DOCUMENT_TOO_LARGE"
    UNSUPPORTED = "E_UNSUPPORTED"
    DAMAGED = "E_DAMAGED"
    MEMORY = "E_MEMORY"
    TIMEOUT = "E_TIMEOUT"
    CRASH = "E_CRASH"
    GONE = "E_GONE"
    CHANGING = "E_CHANGING"
    NOT_READABLE = "E_NOT_READABLE"
    NO_FILE = "E_NO_FILE"
    AMBIGUOUS_KEY = "E_AMBIGUOUS_KEY"
    FETCH_FAILED = "E_FETCH_FAILED"
    FORGOTTEN = "E_FORGOTTEN"
    SAME_ID = "E_SAME_ID"
    ENCRYPTED = "E_ENCRYPTED"
    FAILED = "E_FAILED"

    @property
    def is_passing(self) -> bool:
        """Whether a later try may succeed with the same file."""
        gone_wrong = {FaultCode.CRASH, FaultCode.FETCH_FAILED, FaultCode.FAILED}
        return self in {FaultCode.CHANGING, FaultCode.NOT_READABLE} | gone_wrong


class DocumentState(StrEnum):
    """What became of a file that arrived."""

    PENDING = "pending"
    OK = "ok"
    PARTIAL = "partial"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"

    @property
    def is_readable(self) -> bool:
        """Whether at least one page could be used."""
        return self in {DocumentState.OK, DocumentState.PARTIAL}


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason: of one page (``page_index`` from 0), or of the whole document (None)."""

    code: FaultCode
    message: str
    page_index: int | None = None

    def __str__(self) -> str:
        where = "" if self.page_index is None else f"page {self.page_index + 1}: "
        return f"{where}{self.message}"


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What reading a document came to.

    Attributes:
        n_pages: pages its directories declare, thumbnails and masks left out.
        pages_read: indices of the pages that were decoded without damage.
        faults: everything that went wrong, in order.
    """

    n_pages: int
    pages_read: tuple[int, ...]
    faults: tuple[Fault, ...]

    @property
    def state(self) -> DocumentState:
        """OK without any fault, PARTIAL with some pages, REJECTED without a page."""
        if not self.pages_read:
            return DocumentState.REJECTED
        return DocumentState.PARTIAL if self.faults else DocumentState.OK

    @property
    def reason(self) -> str:
        """All faults in one line, "" if there are none; at most the first ten."""
        shown = "; ".join(str(fault) for fault in self.faults[:_MAX_FAULTS_SHOWN])
        more = len(self.faults) - _MAX_FAULTS_SHOWN
        return f"{shown}; and {more} more" if more > 0 else shown

    @property
    def reason_code(self) -> str | None:
        """The first fault's code."""
        return str(self.faults[0].code) if self.faults else None

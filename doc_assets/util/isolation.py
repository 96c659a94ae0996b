"""Units of work that fail alone: a pair, a photo, a page, a document, a row of a table.

``attempt`` is the one place that turns an error of a unit into a value, so that its caller records it and goes on.
What concerns every unit alike is raised: settings, services, the ledger, a full disk, an interruption. So is memory, if
unit after unit lacks it: one huge photo is its own fault, a machine without memory is not the fault of the photos.
"""

import errno
import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from doc_assets.errors import AccountingError, DamagedError, InputError, NoRoomError, ServiceError, SetupError
from doc_assets.util.files import no_room
from doc_assets.util.visible import printable

Item = TypeVar("Item")
Result = TypeVar("Result")

_OF_THE_MACHINE = {errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO}
_MOST_WITHOUT_MEMORY = 3
_LONGEST_REASON = 500
_LONGEST_OF_OURS = 4000  # names what was tried
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit came to nothing.

    Attributes:
        reason: one line for people.
        code: stable name of the reason; None if nobody foresaw it.
    """

    reason: str
    code: str | None = None


def attempt(unit: str, work: Callable[[], Result]) -> Result | Failure:
    """What ``work`` returns, or why it could not; an error that nobody foresaw goes to the log with its traceback.

    The log names no document: what an error says may be a path, so only its type and frames are logged. The caller
    keeps the reason with the document in the ledger.

    Args:
        unit: names it in logs and errors, by numbers of the ledger, e.g. ``page 2 of document 17``.
        work: does it.

    Raises:
        SetupError, ServiceError, SQLAlchemyError: as ``work`` does; also ServiceError if the disk is full, handles
            have run out, or several units in a row find no memory.
    """
    try:
        result = work()
    except (SetupError, ServiceError, DamagedError, AccountingError, SQLAlchemyError):
        raise
    except InputError as error:
        return Failure(one_line(str(error), _LONGEST_OF_OURS), getattr(error, "code", None))
    except MemoryError as error:
        _memory.lacking(unit, error)
        _log.error("%s: not enough memory\n%s", unit, _frames(error))
        return Failure(f"Not enough memory: {one_line(str(error))}" if str(error) else "Not enough memory.")
    except Exception as error:  # a unit may break in any way; the reason is recorded, the rest goes on
        if (says := no_room(error)) is not None:
            raise NoRoomError(says) from error
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            says = error.strerror or type(error).__name__
            raise ServiceError(f"{unit}: {says}. Check the disk and the limits of this process.") from error
        return _unforeseen(unit, error)
    _memory.found()
    return result


def attempt_each(
    units: Sequence[str], items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Result]]
) -> list[Result | Failure]:
    """What ``work`` makes of each item: of all together, and if that breaks, of one after the other.

    Args:
        units: names of the items in the log.
        items: what is worked on.
        work: as many results as items, in their order.

    Raises:
        SetupError, ServiceError, SQLAlchemyError: as ``attempt``.
    """
    if len(items) > 1:
        together = attempt(f"{units[0]} and {len(items) - 1} more", partial(work, items))
        if not isinstance(together, Failure):
            return list(together)
    alone = [attempt(unit, partial(work, [item])) for unit, item in zip(units, items, strict=True)]
    return [found if isinstance(found, Failure) else found[0] for found in alone]


def one_line(text: str, longest: int = _LONGEST_REASON) -> str:
    """Text that may stand in a ledger, a report and a terminal: one line, nothing unprintable, not too long."""
    shown = printable(text).strip()
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _unforeseen(unit: str, error: Exception) -> Failure:
    _log.error("%s failed; the rest goes on\n%s", unit, _frames(error))
    return Failure(one_line(f"{type(error).__name__}: {error}"))


def _frames(error: BaseException) -> str:
    """Frames and types of an error and of those it came from, without what they say."""
    earlier = error.__cause__ or error.__context__
    before = f"{_frames(earlier)}\n" if earlier is not None else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{before}Traceback without messages:\n{frames}{type(error).__name__}"


class _Memory:
    """Counts units that found no memory since the last one that did, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lacked = 0

    def found(self) -> None:
        """A unit was done."""
        self._lacked = 0

    def lacking(self, unit: str, error: MemoryError) -> None:
        """A unit found no memory.

        Raises:
            ServiceError: if it is one too many in a row.
        """
        with self._lock:
            self._lacked += 1
            if self._lacked < _MOST_WITHOUT_MEMORY:
                return
            self._lacked = 0
        raise ServiceError(
            f"{unit}: {_MOST_WITHOUT_MEMORY} units in a row found no memory ({error}). Give the process more, or let "
            "it do less at once (DOC_ASSETS_DECODE_WORKERS, DOC_ASSETS_EMBED_BATCH_SIZE); the run resumes there."
        ) from error


_memory = _Memory()

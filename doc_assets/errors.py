"""Every error this package raises on purpose, sorted by who must act.

Below ``DocAssetsError`` there are five branches: ``InputError``, record it and go on; ``SetupError``, stop, a person
must act; ``DamagedError``, a backup must bring it back; ``AccountingError``, a defect of this program;
``ServiceError``, something outside is away or busy and the same call may work later.

A message names the thing, the value found, the value wanted and the next step. Only an ``InputError`` or
a ``BackupError`` may name a document: its message is shown on the terminal or kept in the ledger, and never logged.
"""


class DocAssetsError(Exception):
    """The root; catch a branch, not this."""


class InputError(DocAssetsError):
    """One document, page or row cannot be used; the rest of the batch goes on."""


class UnreadableDocumentError(InputError):
    """A file that is no document we can read, or that breaks a limit.

    Args:
        code: stable short name of the reason, e.g. ``E_NOT_TIFF``; see ``faults.py``.
        message: the reason in words, without the file's name.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class UnreadableTextError(InputError):
    """The text of one page cannot be read: the engine took too long or broke on it."""


class UnknownDocumentError(InputError):
    """A document that an operator names is not there."""


class PackageError(InputError):
    """A case package is too large, or is damaged, was changed or is none; the message names the first fault."""


class SetupError(DocAssetsError):
    """A person must change a setting, a file or a machine before this can work."""


class SettingsError(SetupError):
    """A setting is unknown, missing or out of range."""


class MissingModelError(SetupError):
    """Weights or a checkpoint are absent, damaged or not the ones expected."""


class BackupError(SetupError):
    """Something that a backup needs is missing, or a backup is damaged or does not fit the home."""


class InterruptedRestoreError(SetupError):
    """A restore was interrupted and left the home half made; nothing else may use it."""


class IndexSchemaError(SetupError):
    """A collection does not fit the embedder that is asked to use it."""


class ReindexError(SetupError):
    """A collection cannot be put in use: it is incomplete, finds too little, or cannot be made any more."""


class LedgerSchemaError(SetupError):
    """The ledger's tables are newer than this program."""


class InconsistentResultError(DocAssetsError):
    """A result contradicts itself: a fault of this program, which nobody must be shown."""

    def __init__(self, place: int, *, is_flagged: bool) -> None:
        said = "is flagged and no reason counts" if is_flagged else "is not flagged and a reason counts"
        super().__init__(
            f"Result {place} of a search contradicts itself: it {said}. `doc-assets relabel` makes the labels of "
            "stored results anew; if that does not help, report this with the result."
        )


class DamagedError(DocAssetsError):
    """A database or file of the home is no longer what was written."""


class AccountingError(DocAssetsError):
    """Documents, rows or results do not add up: a defect of this program, and nothing may be concluded from them."""


class ServiceError(DocAssetsError):
    """Something outside this process is away or busy; trying again later may work."""


class FolderUnreachableError(ServiceError):
    """A folder cannot be listed; nothing may be concluded about the files in it."""


class StoreUnavailableError(ServiceError):
    """The vector store does not answer."""


class StoreBusyError(ServiceError):
    """Another process holds the embedded vector store."""


class HomeBusyError(ServiceError):
    """Another daemon works on this home."""


class NoRoomError(ServiceError):
    """A disk is full, or has no room for another file."""

"""From files that lie in a folder to sealed drops.

A file has arrived when two looks, some time apart, found it the same. Arrived files are sealed into a drop
when there are enough of them or the oldest has waited long enough. All that is known lies in the ledger:
a lost cursor, a restart or a second watcher changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from doc_assets.documents.folder import FileStat, FolderListing, list_documents
from doc_assets.documents.keys import MerchantOf, unknown_merchant
from doc_assets.documents.names import display_name, document_id, real_path
from doc_assets.ledger.intake import ArrivedFile, InboxEntry
from doc_assets.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """When files count as arrived and drops as full; the names are those of the settings."""

    settle_s: float = 10.0
    drop_max_documents: int = 2000
    drop_max_age_s: float = 900.0
    drops_per_look: int = 10
    chunk_documents: int = 128
    ignore: tuple[str, ...] = ()


@dataclass(slots=True)
class IntakeDecision:
    """What one look at the folder leads to.

    Attributes:
        changed: entries that are new or no longer what they were.
        gone: paths that are no longer there.
        drops: files to seal, one list a drop.
        settling: files that do not stand still yet.
        waiting: files that have arrived and wait for their drop to fill or age.
    """

    changed: list[InboxEntry] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    drops: list[list[InboxEntry]] = field(default_factory=list)
    settling: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What one look at the folder did.

    Attributes:
        files: documents in the folder.
        settling, waiting: see ``IntakeDecision``.
        sealed: keys of the drops sealed now.
        unreadable: folders or files that could not be looked at.
    """

    files: int
    settling: int
    waiting: int
    sealed: tuple[str, ...]
    unreadable: tuple[str, ...]


def look(
    ledger: Ledger, inbox: Path, rules: IntakeRules, now: datetime, merchant_of: MerchantOf = unknown_merchant
) -> IntakeReport:
    """Looks at the drop folder once: notes changes and seals what is ready.

    Raises:
        FolderUnreachableError: if the folder cannot be listed; nothing is changed then.
    """
    listing = list_documents(inbox, ignore=rules.ignore)
    decision = decide(listing, ledger.intake.inbox(), rules, now)
    ledger.intake.update_inbox(decision.changed, decision.gone)
    sealed = [
        ledger.intake.seal(
            [_arrived(entry.path, FileStat(entry.size_bytes, entry.mtime_ns), merchant_of) for entry in drop],
            source=f"inbox {inbox}",
            now=now,
            chunk_documents=rules.chunk_documents,
        )
        for drop in decision.drops
    ]
    return IntakeReport(
        len(listing.files), decision.settling, decision.waiting, tuple(sealed), tuple(listing.unreadable)
    )


def decide(listing: FolderListing, known: dict[str, InboxEntry], rules: IntakeRules, now: datetime) -> IntakeDecision:
    """What a listing means, given what was known before; changes nothing."""
    decision = IntakeDecision()
    arrived: list[InboxEntry] = []
    for path, stat in listing.files.items():
        entry = known.get(path)
        if entry is None or (entry.size_bytes, entry.mtime_ns) != (stat.size_bytes, stat.mtime_ns):
            decision.changed.append(InboxEntry(path, stat.size_bytes, stat.mtime_ns, now))
            decision.settling += 1
        elif entry.drop_key is None:
            if entry.unchanged_since > now:  # the clock was set back; start waiting again
                decision.changed.append(InboxEntry(path, stat.size_bytes, stat.mtime_ns, now))
                decision.settling += 1
            elif now - entry.unchanged_since >= timedelta(seconds=rules.settle_s):
                arrived.append(entry)
            else:
                decision.settling += 1
    decision.gone = [path for path in known if path not in listing.files and not listing.may_hide(path)]
    decision.drops, decision.waiting = _fill(arrived, rules, now)
    return decision


def _fill(arrived: list[InboxEntry], rules: IntakeRules, now: datetime) -> tuple[list[list[InboxEntry]], int]:
    """Full drops, and the last one if its oldest file has waited long enough; the number still waiting."""
    arrived.sort(key=lambda entry: (entry.unchanged_since, entry.path))
    drops: list[list[InboxEntry]] = []
    start = 0
    while start < len(arrived) and len(drops) < rules.drops_per_look:
        part = arrived[start : start + rules.drop_max_documents]
        age = now - part[0].unchanged_since
        if len(part) < rules.drop_max_documents and age < timedelta(seconds=rules.drop_max_age_s):
            break
        drops.append(part)
        start += len(part)
    return drops, len(arrived) - start


@dataclass(frozen=True, slots=True)
class FolderIntake:
    """What sealing a folder by hand did.

    Attributes:
        paths: all documents of the folder, as stored.
        sealed: keys of the drops sealed now.
        drops: every drop that holds one of the documents, oldest first.
    """

    paths: tuple[str, ...]
    sealed: tuple[str, ...]
    drops: tuple[str, ...]


def seal_folder(
    ledger: Ledger,
    folder: Path,
    now: datetime,
    *,
    recursive: bool,
    drop_max_documents: int,
    chunk_documents: int,
    ignore: Sequence[str] = (),
    merchant_of: MerchantOf = unknown_merchant,
) -> FolderIntake:
    """Seals what is new or changed in a folder, without waiting; a second call seals nothing.

    Raises:
        FolderUnreachableError: if the folder cannot be listed.
    """
    listing = list_documents(folder.absolute(), recursive=recursive, ignore=ignore)
    paths = sorted(listing.files)
    earlier = ledger.documents.arrivals_at(paths)
    new = [
        _arrived(path, listing.files[path], merchant_of)
        for path in paths
        if path not in earlier
        or (earlier[path].size_bytes, earlier[path].mtime_ns)
        != (listing.files[path].size_bytes, listing.files[path].mtime_ns)
    ]
    sealed = [
        ledger.intake.seal(
            new[start : start + drop_max_documents],
            source=f"folder {folder.absolute()}",
            now=now,
            chunk_documents=chunk_documents,
            bulk=True,
        )
        for start in range(0, len(new), drop_max_documents)
    ]
    concerned = {document.drop_key for path, document in earlier.items()} | set(sealed)
    drops = [key for key in ledger.intake.drop_keys() if key in concerned]
    return FolderIntake(tuple(paths), tuple(sealed), tuple(drops))


def _arrived(path: str, stat: FileStat, merchant_of: MerchantOf) -> ArrivedFile:
    name = real_path(path).name
    called = document_id(name)
    return ArrivedFile(path, display_name(name), called, stat.size_bytes, stat.mtime_ns, merchant_of(called))

"""From files that lie in a folder to sealed drops.

A file has arrived when two looks, some time apart, found it the same. Arrived files are sealed into a drop
when there are enough of them or the oldest has waited long enough. All that is known lies in the ledger:
a lost cursor, a restart or a second watcher changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from doc_assets.archive.ledger.intake import ArrivedFile, InboxEntry
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.settings import Settings
from doc_assets.sources.dates import DateRule
from doc_assets.sources.folders import FileStat, FolderListing, Ignored, list_documents
from doc_assets.sources.key_tables.table import KeyOf, KeyRow, no_keys
from doc_assets.sources.names import display_name, document_id, real_path


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """When files count as arrived and drops as full."""

    settle_s: float = 10.0
    drop_max_documents: int = 2000
    drop_max_age_s: float = 900.0
    drops_per_look: int = 10
    chunk_documents: int = 128
    ignore: tuple[str, ...] = ()


def intake_rules(settings: Settings) -> IntakeRules:
    """When the settings take files of the drop folder."""
    return IntakeRules(
        settings.intake_settle_s,
        settings.drop_max_documents,
        settings.drop_max_age_s,
        settings.drops_per_tick,
        settings.chunk_documents,
        tuple(settings.intake_ignore),
    )


class WaitState(StrEnum):
    """What a file of the drop folder waits for."""

    SETTLING = "still being written or just arrived"
    FILLING = "waits for its drop to fill or age"
    READY = "is sealed at the next look"


@dataclass(frozen=True, slots=True)
class Wait:
    """A file that is not ingested yet.

    Attributes:
        path: as stored.
        state: what it waits for.
        until: when its drop is sealed at the latest, if no file before it changes; of a settling file, when it
            counts as arrived at the earliest.
    """

    path: str
    state: WaitState
    until: datetime


@dataclass(slots=True)
class IntakeDecision:
    """What one look at the folder leads to.

    Attributes:
        changed: entries that are new or no longer what they were.
        gone: paths that are no longer there.
        drops: files to seal, one list a drop.
        waits: files that do not stand still yet, or have arrived and wait for their drop to fill or age.
    """

    changed: list[InboxEntry] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    drops: list[list[InboxEntry]] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    @property
    def settling(self) -> int:
        """Number of files that do not stand still yet."""
        return sum(wait.state is WaitState.SETTLING for wait in self.waits)

    @property
    def waiting(self) -> int:
        """Number of files that have arrived and wait for their drop."""
        return len(self.waits) - self.settling


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What one look at the folder did.

    Attributes:
        files: documents in the folder.
        settling, waiting: see ``IntakeDecision``.
        sealed: keys of the drops sealed now.
        unreadable: folders or files that could not be looked at.
        forgotten: documents that were forgotten; they are not taken, and nothing is noted of them.
        date_faults: rows of the key table whose date cannot be used; the sealed documents' names or arrivals count.
        waits: what is settling or waiting, and until when.
        ignored: what lies in the folder and is no document.
    """

    files: int
    settling: int
    waiting: int
    sealed: tuple[str, ...]
    unreadable: tuple[str, ...]
    forgotten: int = 0
    date_faults: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    ignored: Ignored = field(default_factory=Ignored)


def look(
    ledger: Ledger,
    inbox: Path,
    rules: IntakeRules,
    now: datetime,
    key_of: KeyOf = no_keys,
    dates: DateRule | None = None,
) -> IntakeReport:
    """Looks at the drop folder once: notes changes and seals what is ready.

    Raises:
        FolderUnreachableError: if the folder cannot be listed; nothing is changed then.
    """
    listing, n_forgotten = _listed(ledger, inbox, rules)
    decision = decide(listing, ledger.intake.inbox(), rules, now)
    ledger.intake.update_inbox(decision.changed, decision.gone)
    dates = dates or DateRule()
    ready = [[_arrived(entry, key_of, dates, now) for entry in drop] for drop in decision.drops]
    sealed = [
        ledger.intake.seal(files, source=f"inbox {inbox}", now=now, chunk_documents=rules.chunk_documents)
        for files in ready
    ]
    faults = ((file.file_name, dates.fault_in(file.fields, now)) for files in ready for file in files)
    return IntakeReport(
        len(listing.files),
        decision.settling,
        decision.waiting,
        tuple(sealed),
        tuple(listing.unreadable),
        n_forgotten,
        date_faults=tuple(f"{name}: {fault}" for name, fault in faults if fault is not None),
        waits=tuple(decision.waits),
        ignored=listing.ignored,
    )


def preview(ledger: Ledger, inbox: Path, rules: IntakeRules, now: datetime) -> IntakeReport:
    """What ``look`` would find now; nothing is noted or sealed, what would be sealed is among what waits.

    Raises:
        FolderUnreachableError: if the folder cannot be listed.
    """
    listing, n_forgotten = _listed(ledger, inbox, rules)
    decision = decide(listing, ledger.intake.inbox(), rules, now)
    ready = [Wait(entry.path, WaitState.READY, now) for drop in decision.drops for entry in drop]
    return IntakeReport(
        len(listing.files),
        decision.settling,
        decision.waiting,
        (),
        tuple(listing.unreadable),
        n_forgotten,
        waits=(*ready, *decision.waits),
        ignored=listing.ignored,
    )


def _listed(ledger: Ledger, inbox: Path, rules: IntakeRules) -> tuple[FolderListing, int]:
    """What lies in the drop folder without documents that were forgotten, and how many these are."""
    listing = list_documents(inbox, ignore=rules.ignore)
    named = {path: document_id(real_path(path).name) for path in listing.files}
    forgotten = ledger.tombstones.forgotten_documents(set(named.values()))
    paths = [path for path, name in named.items() if name in forgotten]
    for path in paths:
        del listing.files[path]
    return listing, len(paths)


def decide(listing: FolderListing, known: dict[str, InboxEntry], rules: IntakeRules, now: datetime) -> IntakeDecision:
    """What a listing means, given what was known before; changes nothing."""
    decision = IntakeDecision()
    arrived: list[InboxEntry] = []
    settle = timedelta(seconds=rules.settle_s)
    for path, stat in listing.files.items():
        entry = known.get(path)
        if entry is None or (entry.size_bytes, entry.mtime_ns) != (stat.size_bytes, stat.mtime_ns):
            decision.changed.append(InboxEntry(path, stat.size_bytes, stat.mtime_ns, now))
            decision.waits.append(Wait(path, WaitState.SETTLING, now + settle))
        elif entry.drop_key is None:
            if entry.unchanged_since > now:  # the clock was set back; start waiting again
                decision.changed.append(InboxEntry(path, stat.size_bytes, stat.mtime_ns, now))
                decision.waits.append(Wait(path, WaitState.SETTLING, now + settle))
            elif now - entry.unchanged_since >= settle:
                arrived.append(entry)
            else:
                decision.waits.append(Wait(path, WaitState.SETTLING, entry.unchanged_since + settle))
    decision.gone = [path for path in known if path not in listing.files and not listing.may_hide(path)]
    decision.drops, left = _fill(arrived, rules, now)
    decision.waits += left
    return decision


def _fill(arrived: list[InboxEntry], rules: IntakeRules, now: datetime) -> tuple[list[list[InboxEntry]], list[Wait]]:
    """Full drops, and the last one if its oldest file has waited long enough; and what still waits."""
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
    return drops, list(_left(arrived[start:], rules, now))


def _left(arrived: Sequence[InboxEntry], rules: IntakeRules, now: datetime) -> Iterator[Wait]:
    """When those that no drop of this look takes are sealed: with the oldest one of their drop, or at the next look."""
    for start in range(0, len(arrived), rules.drop_max_documents):
        part = arrived[start : start + rules.drop_max_documents]
        until = part[0].unchanged_since + timedelta(seconds=rules.drop_max_age_s)
        is_due = len(part) == rules.drop_max_documents or until <= now
        for entry in part:
            yield Wait(entry.path, WaitState.READY if is_due else WaitState.FILLING, now if is_due else until)


def _arrived(entry: InboxEntry, key_of: KeyOf, dates: DateRule, now: datetime) -> ArrivedFile:
    name = real_path(entry.path).name
    stat = FileStat(entry.size_bytes, entry.mtime_ns)
    return arrived_file(entry.path, name, stat, key_of(document_id(name)), dates, now)


def arrived_file(
    origin: str, name: str, stat: FileStat, row: KeyRow | None, dates: DateRule, now: datetime
) -> ArrivedFile:
    """A file to be sealed now, with what a key table's row says of it, and its date."""
    fields = row.fields if row else {}
    return ArrivedFile(
        path=origin,
        file_name=display_name(name),
        document_id=document_id(name),
        size_bytes=stat.size_bytes,
        mtime_ns=stat.mtime_ns,
        merchant_id=row.merchant_id if row else None,
        fields=fields,
        date=dates.date_of(document_id(name), fields, now),
    )

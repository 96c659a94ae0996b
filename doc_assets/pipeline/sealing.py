"""From the documents of a source to sealed drops, at once and without waiting."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice

from doc_assets.archive.archive import Archive
from doc_assets.archive.identity import date_faults, describe_again
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.keys import KeyOutcome
from doc_assets.archive.ledger.rows import Document
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import DocumentState
from doc_assets.pipeline.intake import arrived_file
from doc_assets.runtime import Runtime
from doc_assets.sources.dates import DateRule
from doc_assets.sources.folders import FileStat, Ignored
from doc_assets.sources.key_lookup import KeyState
from doc_assets.sources.key_tables.table import KeyOf, KeyRow
from doc_assets.sources.open_sources import SourceRequest, SourceRules, open_sources
from doc_assets.sources.origin import fetched_digest, fetched_origin, read_origin
from doc_assets.sources.sources import (
    DocumentSource,
    KeyFailedError,
    KeyProblem,
    SourceFile,
    file_name,
    files_of,
    ignored_in,
    nothing_in,
)
from doc_assets.sources.staging import stage
from doc_assets.util.digests import sha256_of
from doc_assets.util.isolation import Failure, attempt

_FETCHED_TOGETHER = 32
"""Documents of an API that may lie in memory at once."""

_READ_AGAIN = frozenset({DocumentState.PENDING, DocumentState.REJECTED})

Arrival = tuple[ArrivedFile, KeyRow | None]


@dataclass(frozen=True, slots=True)
class SealingRules:
    """How documents become drops.

    Attributes:
        drop_max_documents: documents of a drop.
        chunk_documents: documents that are committed together.
        max_file_bytes: what is fetched is cut off there.
        fetch_workers: documents of an API fetched side by side.
        dates: where their dates stand.
        read_all: whether files are compared with what was read of them, byte by byte, and not by size and time.
    """

    drop_max_documents: int = 10_000
    chunk_documents: int = 128
    max_file_bytes: int = 1 << 30
    fetch_workers: int = 4
    dates: DateRule = field(default_factory=DateRule)
    read_all: bool = False


def sealing_rules(runtime: Runtime) -> SealingRules:
    """How the settings make drops of the documents of a source."""
    settings = runtime.settings
    return SealingRules(
        settings.bulk_drop_max_documents,
        settings.chunk_documents,
        settings.max_file_bytes,
        settings.document_api_workers,
        runtime.dates,
    )


@dataclass(slots=True)
class SourceIntake:
    """What sealing a source did.

    Attributes:
        source: the source, for people.
        notes: what people must know of it, a line each.
        origins: all its documents, as stored.
        sealed: keys of the drops sealed now.
        drops: every drop that holds one of the documents, oldest first.
        problems: keys that gave no document, and paths that could not be looked into.
        forgotten: names of documents that were forgotten; they are not taken, and nothing is noted of them.
        described: names of documents of earlier drops whose merchant, key table fields or date are others now.
        date_faults: rows of key tables whose date cannot be used; the documents' names or arrivals count instead.
        ignored: what lies in a folder and is no document.
        nothing: why the source has no document at all; empty if it has one or a problem.
    """

    source: str = ""
    notes: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    problems: list[KeyProblem] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    date_faults: list[str] = field(default_factory=list)
    ignored: Ignored = field(default_factory=Ignored)
    nothing: str = ""


def seal_source(archive: Archive, source: DocumentSource, now: datetime, rules: SealingRules) -> SourceIntake:
    """Seals what is new or changed in a source, without waiting; a second call seals nothing.

    What became of every key is filed in the ledger, drop by drop, so that a killed call goes on where it was.

    Raises:
        FolderUnreachableError: if a folder cannot be listed.
        ServiceError: if the disk is full.
        SettingsError: if a key table or an API cannot be used.
    """
    done = SourceIntake(source.name, source.table.report if source.table else [])
    concerned: set[str] = set()
    failed: set[str] = set()
    arrivals = _arrivals(archive, files_of(source), rules, now)
    while part := list(islice(arrivals, rules.drop_max_documents)):
        given_files = [given for given in part if not isinstance(given, KeyProblem)]
        forgotten = _forgotten(archive, [file for file, _ in given_files])
        done.forgotten += [file.file_name for file, _ in given_files if file.document_id in forgotten]
        files = [given for given in given_files if given[0].document_id not in forgotten]
        problems = [given for given in part if isinstance(given, KeyProblem)]
        concerned |= _seal(archive, source.name, files, now, rules, done)
        done.problems += problems
        done.date_faults += date_faults((row for _, row in files), rules.dates, now)
        failed |= {problem.row.key for problem in problems}
        archive.ledger.keys.record(source.name, _outcomes(files, problems, failed), now)
    done.drops = [key for key in archive.ledger.intake.drop_keys() if key in concerned]
    done.ignored = ignored_in(source)
    if not (done.origins or done.problems or done.forgotten):
        done.nothing = nothing_in(source)
    return done


def seal_request(
    archive: Archive, sources: SourceRules, asked: SourceRequest, now: datetime, rules: SealingRules
) -> SourceIntake:
    """``seal_source`` of what a person asks for; an API is not asked again for keys that it gave before.

    Raises:
        SettingsError: if the request names nothing, or a key table or an API cannot be used.
        FolderUnreachableError, ServiceError: as ``seal_source``.
    """
    found: set[str] | None = None

    def known(row: KeyRow) -> bool:
        nonlocal found
        if found is None:
            found = archive.ledger.keys.found(opened.source.name)
        return row.key in found

    with open_sources(sources, asked, known) as opened:
        done = seal_source(archive, opened.source, now, rules)
        if found:
            _tell_known(archive, opened.key_of, done, now, rules)
    if found:
        # Their documents are part of what is asked for, and a killed call may have left their drops half done.
        earlier = archive.ledger.intake.sealed_from(done.source)
        done.origins = list(dict.fromkeys([*done.origins, *earlier]))
        concerned = {*done.drops, *earlier.values()}
        done.drops = [key for key in archive.ledger.intake.drop_keys() if key in concerned]
    return done


def _tell_known(archive: Archive, key_of: KeyOf, done: SourceIntake, now: datetime, rules: SealingRules) -> None:
    """Files what the key table says by now of documents that an API gave before and is not asked for again."""
    paths = sorted(set(archive.ledger.intake.sealed_from(done.source)) - set(done.origins))
    documents = archive.ledger.documents.arrivals_at(paths)
    rows = {path: row for path, document in documents.items() if (row := key_of(document.document_id)) is not None}
    done.described += describe_again(archive.ledger, list(documents.values()), rows, rules.dates)
    done.date_faults += date_faults(rows.values(), rules.dates, now)


def _seal(
    archive: Archive,
    source: str,
    arrivals: Sequence[Arrival],
    now: datetime,
    rules: SealingRules,
    done: SourceIntake,
) -> set[str]:
    """Seals those files that are new or changed; returns the drops that hold any of them."""
    by_path = {file.path: file for file, _ in arrivals}  # one file may be named by several keys
    earlier = archive.ledger.documents.arrivals_at(list(by_path))
    done.described += describe_again(
        archive.ledger, [earlier[path] for path in by_path if path in earlier], dict(_rows(arrivals)), rules.dates
    )
    new = [file for path, file in by_path.items() if _is_new(archive, file, earlier.get(path), rules)]
    done.origins += by_path
    drops = {document.drop_key for document in earlier.values()}
    if new:
        sealed = archive.ledger.intake.seal(
            new, source=source, now=now, chunk_documents=rules.chunk_documents, bulk=True
        )
        done.sealed.append(sealed)
        drops.add(sealed)
    return drops


def _rows(arrivals: Sequence[Arrival]) -> Iterator[tuple[str, KeyRow]]:
    """Path of a file with the key table's row that names it."""
    for file, row in arrivals:
        if row is not None:
            yield file.path, row


def _is_new(archive: Archive, file: ArrivedFile, earlier: Document | None, rules: SealingRules) -> bool:
    """Whether a file was not read before as it is now.

    A file that is written anew within one tick of its clock, or whose time is set back, keeps size and time; only its
    bytes tell. One that was rejected is read again by the run in any case.
    """
    if earlier is None or (earlier.size_bytes, earlier.mtime_ns) != (file.size_bytes, file.mtime_ns):
        return True
    if not rules.read_all or earlier.sha256 is None or earlier.state in _READ_AGAIN:
        return False
    try:
        return sha256_of(read_origin(file.path, archive.bulk, rules.max_file_bytes)) != earlier.sha256
    except UnreadableDocumentError:
        return True  # the run rejects it with its reason


def _forgotten(archive: Archive, files: Sequence[ArrivedFile]) -> set[str]:
    """Ids of those documents that were forgotten, by name or, of what an API gave, by content."""
    tombstones = archive.ledger.tombstones
    found = tombstones.forgotten_documents({file.document_id for file in files})
    digests = ((file.document_id, fetched_digest(file.path)) for file in files)
    return found | {name for name, digest in digests if digest is not None and tombstones.is_forgotten_content(digest)}


def _arrivals(
    archive: Archive, given: Iterator[SourceFile | KeyProblem], rules: SealingRules, now: datetime
) -> Iterator[Arrival | KeyProblem]:
    """What is known of each file; those of an API are fetched and staged for it, several at once."""

    def arrivals(file: SourceFile | KeyProblem) -> list[Arrival | KeyProblem]:
        if isinstance(file, KeyProblem):
            return [file]
        unit = f"arrival of line {file.row.line} of a key table" if file.row else "arrival of a file"
        found = attempt(unit, partial(_arrived, archive, file, rules, now))
        if isinstance(found, Failure):
            return [KeyProblem(file.row or KeyRow(0, file.label), KeyState.FAILED, found.reason)]
        return found

    with ThreadPoolExecutor(rules.fetch_workers) as threads:
        while part := list(islice(given, _FETCHED_TOGETHER)):
            for found in threads.map(arrivals, part):
                yield from found


def _arrived(archive: Archive, file: SourceFile, rules: SealingRules, now: datetime) -> list[Arrival | KeyProblem]:
    if file.stat is not None:
        name = file_name(file.origin)
        return [(arrived_file(file.origin, name, file.stat, file.row, rules.dates, now), file.row)]
    return list(_fetched(archive, file, rules, now))


def _fetched(archive: Archive, file: SourceFile, rules: SealingRules, now: datetime) -> Iterator[Arrival | KeyProblem]:
    """A document of an API, and the others that its answer names."""
    try:
        fetched = file.fetch(rules.max_file_bytes)
    except KeyFailedError as error:
        yield error.problem
        return
    except UnreadableDocumentError as error:
        yield KeyProblem(file.row or KeyRow(0, file.label), KeyState.FAILED, str(error))
        return
    sha256 = sha256_of(fetched.content)
    origin, more = fetched_origin(fetched.origin, sha256), fetched.more
    stat = FileStat(len(fetched.content), 0)
    arrived = arrived_file(origin, fetched.name, stat, file.row, rules.dates, now)
    if not _forgotten(archive, [arrived]):
        stage(archive.bulk, sha256, fetched.content)
    yield arrived, file.row
    del fetched  # one document of a key lies in memory at a time
    for other in more:
        yield from _fetched(archive, other, rules, now)


def _outcomes(files: Sequence[Arrival], problems: Iterable[KeyProblem], failed: Set[str]) -> list[KeyOutcome]:
    """One outcome a key; a key of which any file could not be had is not found, so that it is asked for again."""
    n_files = Counter(row.key for _, row in files if row is not None)
    outcomes = {
        row.key: KeyOutcome(row.key, row.line, KeyState.FOUND, None, "", n_files[row.key])
        for _, row in files
        if row is not None and row.key not in failed
    }
    for problem in problems:
        if not problem.is_of_table:
            continue
        row = problem.row
        outcomes[row.key] = KeyOutcome(
            row.key, row.line, problem.state, problem.reason, problem.correlation_id, n_files[row.key]
        )
    return list(outcomes.values())

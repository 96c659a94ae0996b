"""Figures of the ledger and of the vector store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import Metric
from sqlalchemy import make_url, select

from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.statistics import LedgerStatistics, read_statistics
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import ServiceError
from doc_assets.ops.metrics.families import gauge, gauges, moment
from doc_assets.sources.key_lookup import KeyState

_ANSWER_WITHIN_S = 10


@dataclass(frozen=True, slots=True)
class CollectionFigures:
    """A collection beside what the ledger says it should hold, counted at the same moment.

    Attributes:
        collection: its name, which says embedder and features.
        points: photos in it.
        expected: photos that the ledger says are in it.
    """

    collection: str
    points: int
    expected: int


def ledger_families(url: str) -> Iterator[Metric]:
    """The ledger in numbers; reads only, and makes no tables.

    Raises:
        ServiceError: if the database does not answer, or is a file that is not there.
    """
    with closing(_opened(url)) as database:
        found = read_statistics(database)
    yield from _documents(found)
    yield gauge("drops", "Sealed drops.", found.drops)
    yield moment("last_drop", "When the last drop was sealed.", found.last_sealed_at)
    yield gauge("inbox_files_waiting", "Files of the inbox that are in no drop yet.", found.waiting)
    yield moment("inbox_oldest_waiting", "Since when the oldest of these stands still.", found.waiting_since)
    yield from _stages(found)
    yield gauges(
        "results",
        "Query documents of searches and screened drops.",
        ("flagged",),
        [((str(flagged).lower(),), found.results.get(flagged, 0)) for flagged in (False, True)],
    )
    yield gauges(
        "keys",
        "Keys of key tables by what became of them.",
        ("state",),
        _by_one(dict.fromkeys(KeyState, 0) | found.keys),
    )


def probe_ledger(url: str) -> None:
    """Asks the ledger's database for nothing.

    Raises:
        ServiceError: if it does not answer, or is a file that is not there.
    """
    with closing(_opened(url)) as database, database.reading() as connection:
        connection.execute(select(1))


def _opened(url: str) -> Database:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
        raise ServiceError(
            f"{parsed.database} does not exist; the first ingestion makes it."
        )  # connecting would, empty
    return Database(url, answer_within_s=_ANSWER_WITHIN_S)


def _documents(found: LedgerStatistics) -> Iterator[Metric]:
    states: dict[str, int] = dict.fromkeys(("ok", "partial", "rejected", "duplicate", "pending"), 0)
    for (state, _), n in found.arrivals.items():
        states[state] = states.get(state, 0) + n
    reasons = {code: n for (state, code), n in found.arrivals.items() if state == "rejected"}
    yield gauges("documents", "Files that ever arrived, by state.", ("state",), _by_one(states))
    yield gauges("rejected_documents", "Rejected files by reason.", ("reason",), _by_one(reasons))
    yield gauge("archive_documents", "Documents in the archive.", found.documents)
    yield gauge("archive_pages", "Pages of the documents in the archive.", found.pages)
    yield gauge("archive_photos", "Photos of the documents in the archive.", found.photos)
    yield gauge(
        "documents_not_indexed", "Documents whose photos the collection in use does not hold.", found.not_indexed
    )


def _stages(found: LedgerStatistics) -> Iterator[Metric]:
    stages = found.stages.items()
    yield gauges("stage_drops", "Drops that passed a stage.", ("stage",), [((n,), s.drops) for n, s in stages])
    yield gauges(
        "stage_documents",
        "Documents of the drops that passed it.",
        ("stage",),
        [((n,), s.documents) for n, s in stages],
    )
    yield gauges(
        "stage_last_completed_timestamp_seconds",
        "When a stage was last completed for a drop.",
        ("stage",),
        [((n,), s.last_at.timestamp()) for n, s in stages],
    )


def _by_one(counts: dict[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), float(n)) for name, n in sorted(counts.items())]


def server_figures(open_store: Callable[[], VectorStore], ledger_url: str, alias: str) -> CollectionFigures | None:
    """What a Qdrant server counts now, beside the ledger; None if nothing is published.

    Raises:
        ServiceError: if server or ledger does not answer.
    """
    with open_store() as store, closing(_opened(ledger_url)) as database:
        collection = store.resolve(alias)
        if collection is None:
            return None
        return CollectionFigures(collection, store.count(collection), CollectionLedger(database).photos(collection))


def collection_families(found: CollectionFigures | None) -> Iterator[Metric]:
    """The two counts; without a series if nothing is published yet."""
    rows = [] if found is None else [found]
    yield gauges(
        "collection_photos",
        "Photos in the collection: as a Qdrant server counts them, or as the last run counted the embedded ones.",
        ("collection",),
        [((row.collection,), row.points) for row in rows],
    )
    yield gauges(
        "collection_photos_expected",
        "Photos that the ledger said are in it at the same moment.",
        ("collection",),
        [((row.collection,), row.expected) for row in rows],
    )

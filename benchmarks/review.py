"""Review desk: milliseconds of a page's server time, by the size of the archive.

    python -m benchmarks.review [--documents 20000 300000] [--url postgresql://...]

The ledger is filled with rows alone: documents of drops of 2,000, three links each, a case for every twentieth with one
to three pairs and its result, a verdict on half of the cases. Pages are asked of Django in this process, as somebody
who is signed in, so that network and browser are left out; pictures are not asked for.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import SecretStr
from sqlalchemy import Table, insert

from benchmarks.report import Row, arguments, print_table, save
from doc_assets.archive.ledger.case_queue import CaseFilter
from doc_assets.archive.ledger.cases import CasePair
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import EarlierFields, Finding, FoundDocument, Overlap, PhotoPair, Use
from doc_assets.archive.ledger.schema import (
    DocumentRow,
    Drop,
    PhotoGroup,
    PhotoGroupMember,
    PhotoLink,
    ReviewCase,
    ReviewPair,
    Search,
    SearchResult,
    VerdictRow,
)
from doc_assets.archive.ledger.search_settings import SearchRequest, SearchSettings
from doc_assets.archive.ledger.searches import search_id_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DROP = 2000
CASE_EVERY = 20
LINKS = 3
REPEATS = 60
_ROWS_AT_ONCE = 5000
_WHOLE = [0.0, 0.0, 1.0, 1.0]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[20_000, 300_000])
    parser.add_argument("--url", default="", help="an empty PostgreSQL database; a SQLite file by default")
    options = parser.parse_args()
    rows = []
    for size in options.documents:
        home = options.work / f"review-{secrets.token_hex(3)}"
        home.mkdir(parents=True)
        url = options.url or f"sqlite:///{home / 'ledger.sqlite'}"
        began = time.monotonic()
        with Ledger.open(url) as ledger:
            _fill(ledger, size)
        fill_s = round(time.monotonic() - began)
        print(f"{size} documents, {size // CASE_EVERY} cases, {size * LINKS} links, filled in {fill_s} s")
        rows += [{"documents": size, "page": page, **figures} for page, figures in _measured(home, url).items()]
        shutil.rmtree(home)
    print_table(rows)
    save("review", {"documents": options.documents, "links": LINKS, "repeats": REPEATS}, rows)


# --- what is asked


def _measured(home: Path, url: str) -> dict[str, Row]:
    from django.test import Client

    from doc_assets.runtime import Runtime
    from doc_assets.settings import load_settings
    from doc_assets.web.desk import Desk, use
    from doc_assets.web.site import Door, configure, migrate

    settings = load_settings().changed(home=home, ledger_url=SecretStr(url))
    configure(settings, Door(secrets.token_hex(), ("testserver",), is_secure=False))
    migrate()
    from doc_assets.web.accounts import local_person

    with Desk(Runtime(settings)) as desk:
        use(desk)
        client = Client()
        client.force_login(local_person())
        cases = desk.archive.ledger.cases
        rows = cycle([case.case_id for case in cases.page(CaseFilter(states=("open",)), 4 * REPEATS)])  # as documents
        numbers = iter([case.case_id for case in cases.page(CaseFilter(states=("open",)), 4 * REPEATS)])
        return {
            "queue": _figures(lambda: client.get("/")),
            "queue, two filters": _figures(lambda: client.get("/?finding=same_day&merchant=m17")),
            "queue, part of a name": _figures(lambda: client.get("/?text=00012")),
            "queue, business, by risk": _figures(lambda: client.get("/?business=음식점&order=risk")),
            "queue, dates": _figures(lambda: client.get("/?since=2024-03-01&until=2024-03-05&order=age")),
            "case": _figures(lambda: client.get(f"/cases/{next(numbers)}")),
            "verdict and next case": _figures(lambda: _verdict(client, next(numbers))),
            "document": _figures(lambda: client.get(f"/documents/{next(rows)}")),
            "merchant": _figures(lambda: client.get(f"/merchants?document={next(rows)}")),
            "photo group": _figures(lambda: client.get(f"/groups/{next(rows)}")),
            "comparison": _figures(lambda: _compared(client, cases.pairs([row := next(rows)])[row][0], row)),
            "audit": _figures(lambda: client.get("/audit")),
        }


def _verdict(client: Any, case_id: int) -> Any:  # noqa: ANN401 - Django's client and answer
    said = client.post(f"/cases/{case_id}/verdict", {"photograph": "different", "all": "1"})
    return client.get(said.headers["Location"])


def _compared(client: Any, pair: CasePair, row: int) -> Any:  # noqa: ANN401 - Django's client and answer
    return client.get(f"/compare?own={row}&other={pair.other_row}")


def _figures(ask: Callable[[], Any]) -> Row:
    """Milliseconds on the clock and of this process's CPU; a database server's are not among the latter."""
    ask()
    clock, cpu = [], []
    for _ in range(REPEATS):
        began, used = time.perf_counter(), time.process_time()
        answer = ask()
        clock.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.content[:300]!r}")
    median, p95 = np.percentile(np.array(clock) * 1000, [50, 95])
    return {
        "median ms": round(float(median), 1),
        "p95 ms": round(float(p95), 1),
        "CPU p95 ms": round(float(np.percentile(cpu, 95)) * 1000, 1),
    }


# --- what the ledger holds


def _fill(ledger: Ledger, size: int) -> None:
    drops = [f"20260101-0000-{number:04d}" for number in range(-(-size // DROP))]
    _add(
        ledger,
        Drop,
        ({"drop_key": key, "source": "x", "sealed_at": NOW, "n_files": DROP, "chunk_documents": 128} for key in drops),
    )
    _add(ledger, Search, (_search(key) for key in drops))
    _add(ledger, DocumentRow, (_document(number, drops[number // DROP]) for number in range(size)))
    _add(ledger, PhotoGroup, (_group(number) for number in range(0, size, CASE_EVERY)))
    _add(ledger, PhotoLink, (_link(number, step, size) for number in range(size) for step in range(1, LINKS + 1)))
    _add(ledger, PhotoGroupMember, (each for number in range(0, size, CASE_EVERY) for each in _members(number, size)))
    cases = range(0, size, CASE_EVERY)
    _add(ledger, ReviewCase, (_case(number, drops[number // DROP]) for number in cases))
    _add(ledger, ReviewPair, (each for number in cases for each in _pairs(number, size)))
    _add(ledger, SearchResult, (_result(number, drops[number // DROP], size) for number in cases))
    _add(ledger, VerdictRow, (each for number in cases[::2] for each in _verdicts(number, size)))


def _add(ledger: Ledger, table: Any, rows: Iterable[dict[str, Any]]) -> None:  # noqa: ANN401 - a mapped class
    given = iter(rows)
    into: Table = table.__table__
    while part := list(islice(given, _ROWS_AT_ONCE)):
        with ledger.database.writing() as connection:
            connection.execute(insert(into), part)


def _name(number: int) -> str:
    return f"N2026{number:09d}THA00100001_1"


def _day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number % 900)


def _search(key: str) -> dict[str, Any]:
    return {
        "search_id": search_id_of(key),
        "started_at": NOW,
        "finished_at": NOW,
        "collection": "c",
        "n_indexed_photos": 1,
        "settings": SearchSettings(**{each: getattr(SearchRequest(), each) for each in SearchRequest.__slots__}),
        "requested_by": None,
        "global_top_docs": [],
        "changed_findings": (),
    }


def _document(number: int, drop: str) -> dict[str, Any]:
    return {
        "id": number + 1,
        "drop_key": drop,
        "position": number % DROP,
        "document_id": _name(number),
        "file_name": f"{_name(number)}.tif",
        "source_path": f"/in/{_name(number)}.tif",
        "merchant_id": f"m{number % 997}",
        "size_bytes": 1,
        "mtime_ns": 1,
        "sha256": f"{number:064x}",
        "state": "ok",
        "reason_code": None,
        "reason": None,
        "is_current": True,
        "n_pages": 2,
        "n_photos": 3,
        "fields": {"업종명": "음식점", "가맹점명": f"가맹점 {number % 997}"},
        "document_date": _day(number),
        "date_source": "name",
    }


def _other(number: int, step: int, size: int) -> int:
    return (number * 31 + step * 7919) % size


def _link(number: int, step: int, size: int) -> dict[str, Any]:
    return {
        "query_row": number + 1,
        "query_photo": 0,
        "row_id": _other(number, step, size) + 1,
        "photo": step,
        "probability": 0.9,
        "query_area": _WHOLE,
        "area": _WHOLE,
        "pair": None,
        "is_form": False,
    }


def _group(number: int) -> dict[str, Any]:
    first = _day(number)
    return {"group_id": number + 1, "n_photos": 2, "n_documents": 2, "n_merchants": 2, "first_date": first}


def _members(number: int, size: int) -> Iterator[dict[str, Any]]:
    yield {"row_id": number + 1, "photo": 0, "group_id": number + 1}
    yield {"row_id": _other(number, 1, size) + 1, "photo": 10 + number // CASE_EVERY, "group_id": number + 1}


def _case(number: int, drop: str) -> dict[str, Any]:
    return {
        "case_id": number + 1,
        "row_id": number + 1,
        "drop_key": drop,
        "merchant_id": f"m{number % 997}",
        "state": "decided" if number // CASE_EVERY % 2 == 0 else "open",
        "rank": float(number * 2_654_435_761 % 1_000_003) / 1e5,
        "probability": float(number * 40_503 % 1_000_003) / 1_000_003,
        "business": "음식점" if number // CASE_EVERY % 7 == 0 else "소매",
        "parts": {"probability": 5.0, "merchants": 1.0},
        "n_pairs": 1 + number // CASE_EVERY % 3,
        "opened_at": NOW,
        "changed_at": NOW,
        "holder": None,
        "held_until": None,
    }


def _photo_pair(photo: int) -> PhotoPair:
    area = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    return PhotoPair(
        query_page=1,
        query_photo=photo,
        query_box=(100, 100, 900, 700),
        page=1,
        photo=1,
        box=(100, 100, 900, 700),
        matched=True,
        similarity=0.9,
        quarter_turns=0,
        mirrored=False,
        probability=0.99,
        inliers=60,
        overlap=Overlap(0.9, 0.9, area, area, 0.9),
        transform=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        lines=tuple((0.1 * i, 0.1, 0.1 * i, 0.1) for i in range(12)),
        kind="same_photograph",
    )


def _pairs(number: int, size: int) -> Iterator[dict[str, Any]]:
    for position in range(1 + number // CASE_EVERY % 3):
        yield {
            "case_id": number + 1,
            "position": position,
            "pair_key": f"{number:060x}{position:04x}",
            "photo": position,
            "other_row": _other(number, 1, size) + 1,
            "other_photo": 1,
            "finding": "same_day" if number // CASE_EVERY % 10 == 0 else "reuse",
            "probability": 0.99,
            "pair": _photo_pair(position),
        }


def _verdicts(number: int, size: int) -> Iterator[dict[str, Any]]:
    for pair in _pairs(number, size):
        yield {
            "pair_key": pair["pair_key"],
            "case_id": number + 1,
            "stage": "first",
            "person": "kim",
            "at": NOW,
            "photograph": "different",
            "use": None,
            "withdraws": None,
            "snapshot": {"probability": 0.99},
        }


def _result(number: int, drop: str, size: int) -> dict[str, Any]:
    other = _name(_other(number, 1, size))
    n_photos = 1 + number // CASE_EVERY % 3
    found = FoundDocument(
        document=f"{other}.tif",
        document_id=other,
        merchant_id="m1",
        document_date=_day(number),
        date_source="name",
        drop=drop,
        relation="archive",
        score=0.9,
        exact_duplicate=False,
        same_batch=False,
        matches=tuple(_photo_pair(photo) for photo in range(n_photos)),
        counts=True,
        n_matched_photos=n_photos,
    )
    use = Use(found.document, "m1", _day(number), "name")
    findings = tuple(
        Finding(
            photo,
            1,
            "reuse",
            counts=True,
            probability=0.99,
            first_use=use,
            found_in=found.document,
            n_documents=1,
            n_merchants=1,
        )
        for photo in range(n_photos)
    )
    return {
        "search_id": search_id_of(drop),
        "query_document": f"{_name(number)}.tif",
        "position": number % DROP,
        "merchant_id": f"m{number % 997}",
        "state": "ok",
        "error": None,
        "n_photos": 3,
        "best_document": found.document,
        "best_score": 0.9,
        "document_id": _name(number),
        "document_date": _day(number),
        "date_source": "name",
        "searched": True,
        "findings": findings,
        "doubt": 0.0,
        "risk_score": 0.99,
        "flagged": True,
        "elapsed_s": 0.1,
        "top_docs": (found,),
        "legacy": EarlierFields(),
        "fields": {},
        "faults": (),
    }


if __name__ == "__main__":
    main()

"""The documents that a key table names, asked of a document API, and the log of what it could not give."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from doc_assets.sources.image_api import ImageApiClient
from doc_assets.sources.keys import KeyRow, KeyTable
from doc_assets.sources.sources import Fetched, KeyProblem, SourceFile, unusable_rows
from doc_assets.util.log_files import SharedFileHandler


@dataclass(slots=True)
class ApiSource:
    """The documents that a key table names, asked of a document API.

    Attributes:
        table: the keys.
        client: asks.
        url: whom.
        known: keys that need not be asked again, normalised as in the table.
    """

    table: KeyTable
    client: ImageApiClient
    url: str
    known: Callable[[KeyRow], bool] = lambda _: False

    @property
    def name(self) -> str:
        """The table and the address."""
        return f"key table {self.table.path.name} over {self.url}"

    @property
    def notes(self) -> list[str]:
        """What is to be said of the key table."""
        return self.table.report

    def files(self) -> Iterator[SourceFile | KeyProblem]:
        """One file a key; nothing is asked before its bytes are wanted, and the answer names the key's other files."""
        for row in self.table.rows():
            if not self.known(row):
                yield SourceFile(row.key, self.client.request_of(row.key), None, row, self._fetch(row))
        yield from unusable_rows(self.table)

    def _fetch(self, row: KeyRow) -> Callable[[int], Fetched]:
        return lambda max_bytes: self.client.fetch(row, max_bytes)


class FailedRequestLog:
    """One JSON line a failed request, for people and for log collectors; usable from several threads.

    Args:
        path: the file; closed under a dated name at its size limit and at midnight UTC, as all logs are.
        max_bytes: that limit.
        url: the API that was asked.
    """

    def __init__(self, path: Path, max_bytes: int, url: str) -> None:
        self._path, self._url = path, url
        self._handler = SharedFileHandler(path, max_bytes)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("failed_requests")  # of its own: nothing else writes here
        self._logger.addHandler(self._handler)

    def __call__(self, problem: KeyProblem, status: int | None) -> None:
        """Files a failure."""
        entry = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "requested_name": problem.row.key,
            "api_endpoint": self._url,
            "status_code": status,
            "reason": problem.reason,
            "correlation_id": problem.correlation_id,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._logger.warning(json.dumps(entry, ensure_ascii=False))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()

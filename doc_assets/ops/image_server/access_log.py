"""One JSON line a request that says nothing about whom or what it concerned."""

import json
import logging
from datetime import UTC, datetime


class AccessLog:
    """A log of requests without names, keys, addresses and query strings.

    Args:
        handler: takes the lines.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.Logger("image_api.access")  # of its own: nothing else writes here
        self._logger.addHandler(self._handler)

    def write(self, method: str, route: str, status: int, seconds: float, n_bytes: int, correlation_id: str) -> None:
        """Files a request; ``route`` is the pattern that took it, not its address."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "bytes": n_bytes,
            "correlation_id": correlation_id,
        }
        self._logger.info(json.dumps(line))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()

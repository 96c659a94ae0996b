"""Access log of the desk: one line per request, without names, addresses and query strings; tracebacks of failures."""

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse

from doc_assets.ops.logs import log_to_file
from doc_assets.settings import Settings
from doc_assets.util.log_files import SharedFileHandler

ACCESS_LOG_NAME: Final = "desk_access.log"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_log = logging.getLogger("desk.access")  # beside the package's own: nothing else writes here
_log.propagate = False
_log.setLevel(logging.INFO)


def log_requests(settings: Settings) -> SharedFileHandler:
    """Sends a JSON line per request to the log folder, and what failed with its traceback to this package's log.

    Returns:
        What takes the lines, for requests that Django does not answer.
    """
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    for handler in list(_log.handlers):
        _log.removeHandler(handler)
        handler.close()
    handler = SharedFileHandler(settings.log_dir / ACCESS_LOG_NAME, settings.log_max_bytes)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _log.addHandler(handler)
    log_to_file(settings, "django")
    log_to_file(settings, "uvicorn")
    # Refused requests have their line, and ``problems.failed`` files what failed: neither is said twice.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("django.security").addFilter(_without_traceback)
    return handler


def access_line(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Writes a line about each request: the pattern that took it, not its address."""

    def answer(request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        response = get_response(request)
        match = getattr(request, "resolver_match", None)
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method if request.method in _METHODS else "OTHER",
            "route": f"/{match.route}" if match is not None else "none",
            "status": response.status_code,
            "ms": round((time.monotonic() - began) * 1000, 1),
            "bytes": int(response.get("Content-Length", 0)) if response.streaming else len(response.content),
            **({"key": request.api_key} if hasattr(request, "api_key") else {}),
        }
        _log.info(json.dumps(line))
        return response

    return answer


def _without_traceback(record: logging.LogRecord) -> bool:
    """Who was refused for a wrong host or token did not find a fault of ours."""
    record.exc_info = None
    return True

"""The few files that pages load: the desk's own and those of the pages of accounts."""

import hashlib
import mimetypes
from functools import lru_cache

from django.contrib.staticfiles.finders import get_finders
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_GET

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Content, type and ETag of each file by its path; nothing that is not among them is ever looked up."""
    found: dict[str, tuple[bytes, str, str]] = {}
    for finder in get_finders():
        for path, storage in finder.list([]):
            if path in found:
                continue
            with storage.open(path) as file:
                content = file.read()
            kind = _TYPES.get(path[path.rfind(".") :]) or mimetypes.guess_type(path)[0] or "application/octet-stream"
            found[path] = content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return found


@require_GET
def static_file(request: HttpRequest, path: str) -> HttpResponse:
    """A file, asked for again with its ETag each time: an update of the program shows at once."""
    try:
        content, kind, etag = _files()[path]
    except KeyError as error:
        raise Http404 from error
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(content, content_type=kind, headers=headers)

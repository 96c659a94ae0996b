"""Files that are made for one request: in memory while they are small, then in the home's private place, never kept."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import IO, cast

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from doc_assets.errors import SetupError
from doc_assets.util.visible import printable
from doc_assets.web.desk import the_desk

_FOLDER = "exports"
_IN_MEMORY = 16 << 20
_CHUNK = 1 << 18


@contextmanager
def spooled() -> Iterator[IO[bytes]]:
    """An empty file without a name, closed if the block raises: whatever ends this process, nothing of it is left.

    Raises:
        SetupError: if the home has no room for it.
    """
    folder = the_desk().runtime.settings.home / _FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder}, where exports are made, cannot be written: {error.strerror}.") from error
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder))  # noqa: SIM115 - the answer closes it
    file = cast("IO[bytes]", spool)
    try:
        yield file
    except BaseException:
        file.close()
        raise


class Download(StreamingHttpResponse):
    """A file that is sent in pieces and closed behind the last one.

    Args:
        file: read from its beginning.
        name: with which a browser saves it; of plain letters.
        kind: media type.
    """

    def __init__(self, file: IO[bytes], name: str, kind: str) -> None:
        self._file = file
        size = file.seek(0, 2)
        file.seek(0)
        super().__init__(iter(lambda: file.read(_CHUNK), b""), content_type=kind)
        self._resource_closers.append(file.close)
        self["Content-Length"] = str(size)
        self["Content-Disposition"] = f'attachment; filename="{printable(name)}"'
        self["Cache-Control"] = "no-store"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same for a server that asks for it asynchronously; a plain iterator would be read whole at once."""
        read = sync_to_async(self._file.read, thread_sensitive=False)
        while chunk := await read(_CHUNK):
            yield chunk

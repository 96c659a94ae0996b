"""The document API of a home, served as its settings say."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import limits

from doc_assets.errors import SettingsError
from doc_assets.ops.image_server.access_log import AccessLog
from doc_assets.ops.image_server.app import ServedFolders, make_app
from doc_assets.ops.image_server.catalogue import Catalogue
from doc_assets.ops.image_server.door import DoorRules
from doc_assets.ops.image_server.saving import SaveFolder
from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve
from doc_assets.ops.logs import ACCESS_LOG_NAME
from doc_assets.settings import Settings
from doc_assets.sources.open_sources import SourceRules
from doc_assets.util.log_files import SharedFileHandler


def serve_images(
    settings: Settings,
    rules: SourceRules,
    host: str,
    port: int,
    roots: tuple[str, ...],
    save_folder: Path | None,
    ready: Callable[[str], None],
) -> None:
    """Serves the documents of archive folders until the process is told to end.

    Args:
        settings: of the home.
        rules: how documents are found; their key table tells about documents.
        host: address to listen on; another than this machine's own needs the settings' API key.
        port: 0 for any that is free.
        roots: archive folders; those of the rules if empty.
        save_folder: for copies that clients ask for; None keeps none.
        ready: gets the address when requests are answered.

    Raises:
        SettingsError: if it may not or cannot listen, or no archive folder is known.
        FolderUnreachableError: if an archive folder cannot be listed.
    """
    key = settings.image_api_key.get_secret_value() if settings.image_api_key else ""
    with ExitStack() as stack:
        listening = stack.enter_context(listen(host, port, has_key=bool(key)))
        served = ServedFolders(
            Catalogue(rules, roots, settings.max_file_bytes, stack),
            DoorRules(key, _rate(settings.image_api_rate)),
            AccessLog(SharedFileHandler(settings.log_dir / ACCESS_LOG_NAME, settings.log_max_bytes)),
            settings.image_api_refresh_s,
            SaveFolder(save_folder) if save_folder else None,
        )
        server = make_server(make_app(served), settings.image_api_connections)
        serve(server, listening, lambda: ready(address_of(listening)))


def _rate(text: str) -> limits.RateLimitItem:
    try:
        return limits.parse(text)
    except ValueError as error:
        raise SettingsError(
            f"DOC_ASSETS_IMAGE_API_RATE={text!r} is no rate; write a number and a time, e.g. 100/second or 2000/minute."
        ) from error

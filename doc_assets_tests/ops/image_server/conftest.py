import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
import pytest

from doc_assets.ops.image_server.app import make_app
from doc_assets.ops.image_server.lookup import DocumentLookup
from doc_assets.ops.image_server.middleware import AccessPolicy
from doc_assets.ops.image_server.serving import address_of, listen, make_server
from doc_assets.sources.open_sources import SourceRules
from doc_assets.util.log_files import SharedFileHandler

KEY = "a key of many letters"
TABLE = """파일명,사업자등록번호,수신일자,업종명
N20240101THA00001,123-45,2024.01.01,미용실
N20240102THA00001,678-90,,음식점
"""


class Served:
    """A running server and a client of it."""

    def __init__(self, folder, url, lookup, log):
        self.folder, self.url, self.lookup, self.log = folder, url, lookup, log
        self.client = httpx.Client(base_url=url, headers={"X-API-Key": KEY}, trust_env=False, timeout=30)

    def get(self, name, **params):
        """The answer to a name."""
        return self.client.get("/images", params={"filename": name, **params})


@pytest.fixture
def archive_folder(tmp_path):
    """Documents of two keys, one of them with two files, and a file outside that a link leads to."""
    folder = tmp_path / "archive" / "2024"
    folder.mkdir(parents=True)
    for name in ("N20240101THA00100001_12.tif", "N20240101THA00100001_13.tif", "N20240102THA00100001_1.TIF"):
        (folder / name).write_bytes(b"II*\0" + name.encode())
    (tmp_path / "secret.tif").write_bytes(b"II*\0secret")
    (folder / "link.tif").symlink_to(tmp_path / "secret.tif")
    (folder / "away").symlink_to(tmp_path)
    (folder / "notes.txt").write_text("secret")
    return tmp_path / "archive"


@pytest.fixture
def serving(tmp_path, archive_folder):
    """Starts servers over the archive folder, on free ports."""

    @contextmanager
    def running(folder=archive_folder, *, key=KEY, rate="1000/second", max_bytes=1 << 20, save=False, patience=None):
        (tmp_path / "keys.csv").write_text(TABLE, encoding="utf-8")
        rules = SourceRules(tmp_path / "index.sqlite", tmp_path / "failed.log")
        log = tmp_path / "access.log"
        with ExitStack() as stack:
            keyed = replace(rules, key_table=tmp_path / "keys.csv")
            lookup = DocumentLookup(keyed, (str(folder),), max_bytes, stack)
            saves = tmp_path / "saved" if save else None
            app = make_app(lookup, AccessPolicy(key, rate), SharedFileHandler(log, 1 << 20), 3600, saves)
            listening = stack.enter_context(listen("127.0.0.1", 0, has_key=bool(key)))
            server = make_server(app, 64, patience)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            asked = Served(folder, address_of(listening), lookup, log)
            try:
                yield asked
            finally:
                asked.client.close()
                server.should_exit = True
                thread.join()

    return running


@pytest.fixture
def served(serving):
    """One server with a key."""
    with serving() as running:
        yield running

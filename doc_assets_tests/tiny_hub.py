"""A model hub on this machine: the few answers of Hugging Face's protocol that a download asks for."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from doc_assets_tests.serving import serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def running_hub(hub_id: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A hub with one model, the files of ``folder``; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.do_GET(with_body=False)

        def do_GET(self, with_body=True):
            path = self.path.partition("?")[0]
            asked.append(path)
            if path.startswith(f"/api/models/{hub_id}/tree/"):
                found = sorted(file for file in folder.rglob("*") if file.is_file())
                tree = [{"type": "file", "path": file.relative_to(folder).as_posix(), "size": file.stat().st_size,
                         "oid": hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()}
                        for file in found]  # fmt: skip
                return self.answer(json.dumps(tree).encode(), "application/json", with_body)
            if path.startswith(f"/api/models/{hub_id}"):
                files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
                described = {"id": hub_id, "modelId": hub_id, "sha": COMMIT, "private": False, "tags": [],
                             "siblings": [{"rfilename": name} for name in files]}  # fmt: skip
                return self.answer(json.dumps(described).encode(), "application/json", with_body)
            name = path.removeprefix(f"/{hub_id}/resolve/{COMMIT}/")
            if name != path and (folder / name).is_file():
                return self.answer((folder / name).read_bytes(), "application/octet-stream", with_body)
            self.send_error(404)
            return None

        def answer(self, content, kind, with_body):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *arguments):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}", asked

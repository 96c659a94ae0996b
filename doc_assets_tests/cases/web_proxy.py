"""The stack's proxy on this machine: the real program with the real files, only addresses and paths are of a test."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from doc_assets_tests.serving import serving
from doc_assets_tests.shared import PROJECT

SOURCE = PROJECT / "deploy" / "proxy"
MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
IS_HERE = shutil.which("nginx") is not None and MODULE.is_file()
KEY = "of the document API, long"
DESK_SECRET = "shown-to-the-desk-by-its-proxy"
PASSWORDS = {"operator": "of the operator, long", "viewer": "of the viewer, long"}


class Upstream(ThreadingHTTPServer):
    """Stands for every server behind the proxy, the login service too; remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked = []

    def paths(self):
        """What was asked, without the questions to the login service."""
        return [f"{method} {path}" for method, path, _, _ in self.asked if not path.startswith("/oauth2/auth")]


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), body))
        status, headers = 200, {}
        if self.path == "/oauth2/auth":
            status, headers = self._login()
        if self.path.startswith("/images") and self.headers.get("X-API-Key") != KEY:
            status = 401
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}" if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    def _login(self):
        """As oauth2-proxy: a cookie user=NAME/GROUP,GROUP is a session; user=/ is one without a name."""
        found = re.search(r"user=([^;/]*)/([^;]*)", self.headers.get("Cookie", ""))
        if not found:
            return 401, {}
        names = {"X-Auth-Request-User": found[1], "X-Auth-Request-Groups": found[2]}
        if "authelia" in self.headers.get("Cookie", ""):
            names = {"Remote-User": found[1], "Remote-Groups": found[2]}
        return 202, {name: value for name, value in names.items() if value}

    def log_message(self, *_):
        pass


class WebProxy:
    """A running proxy."""

    def __init__(self, folder, port, upstream):
        self.folder, self.port, self.upstream = folder, port, upstream

    def client(self, user=None, password=None, **options):
        """A client that trusts its certificate."""
        auth = (user, PASSWORDS.get(user, "") if password is None else password) if user else None
        trust = ssl.create_default_context(cafile=str(self.folder / "secrets" / "tls_certificate"))
        trust.check_hostname = False
        base = f"https://localhost:{self.port}"
        return httpx.Client(base_url=base, verify=trust, auth=auth, trust_env=False, timeout=30, **options)

    def changes(self):
        """Lines of the log of changes."""
        time.sleep(0.2)  # a request is written down when it has been answered
        lines = (self.folder / "stdout").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def _port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _lay_out(folder, upstream_port, port, mode):
    """The files as the image holds them, with addresses and paths of the test."""
    (folder / "conf").mkdir()
    shutil.copytree(SOURCE / "snippets", folder / "conf" / "snippets")
    for name in ("nginx.conf", "door.lua"):
        shutil.copy(SOURCE / name, folder / "conf")
    replaced = {
        r"(?<![\w])/tmp/": f"{folder}/tmp/",  # first: the folder of the test may lie there
        r"/run/secrets/": f"{folder}/secrets/",
        r"/srv/results/": f"{folder}/results/",
        r'"/etc/nginx/\?\.lua;;"': f'"{folder}/conf/?.lua;;"',
        r"http://(webserver|webserver-view|grafana|desk|image-api|auth):\d+": f"http://127.0.0.1:{upstream_port}",
        r"127\.0\.0\.1:8081": f"127.0.0.1:{_port()}",
        r"listen 8443": f"listen 127.0.0.1:{port}",
        r"/dev/stdout": f"{folder}/stdout",
    }
    texts = {path: path.read_text(encoding="utf-8") for path in (folder / "conf").rglob("*.conf")}
    for pattern, value in replaced.items():
        assert any(re.search(pattern, text) for text in texts.values()), f"the proxy's files hold no {pattern}"
        texts = {path: re.sub(pattern, lambda _, to=value: to, text) for path, text in texts.items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    (folder / "tmp").mkdir(mode=0o777)
    (folder / "secrets" / "desk_proxy_secret").write_text(DESK_SECRET + "\n", encoding="ascii")
    start = (SOURCE / "start.sh").read_text(encoding="utf-8").replace("exec nginx", "exit # nginx")
    moved = {" /tmp/": f" {folder}/tmp/", ">/tmp/": f">{folder}/tmp/"}
    moved |= {"/run/secrets/": f"{folder}/secrets/", "/etc/nginx/": f"{folder}/conf/"}
    for pattern, value in moved.items():
        start = start.replace(pattern, value)
    subprocess.run(["sh", "-c", start], env={"PATH": os.environ["PATH"], "PROXY_AUTH": mode}, check=True)
    (folder / "tmp").chmod(0o777)


def _make_secrets(folder):
    (folder / "secrets").mkdir()
    certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    certificate += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    certificate += ["-keyout", "secrets/tls_key", "-out", "secrets/tls_certificate"]
    subprocess.run(certificate, cwd=folder, check=True, capture_output=True)
    lines = {user: f"{user}:{_hash_of(password)}" for user, password in PASSWORDS.items()}
    (folder / "secrets" / "operators").write_text(lines["operator"], encoding="utf-8")
    (folder / "secrets" / "viewers").write_text(lines["operator"] + lines["viewer"], encoding="utf-8")


def _hash_of(password):
    return subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True).stdout


@contextmanager
def web_proxy(folder, mode="basic", **environment):
    """Runs it; the environment is what compose would give it."""
    (folder / "results").mkdir()
    _make_secrets(folder)
    port = _port()
    upstream = Upstream()
    with serving(upstream):
        _lay_out(folder, upstream.server_address[1], port, mode)
        more = "daemon off;" + (" user root;" if os.getuid() == 0 else "")
        program = ["nginx", "-e", str(folder / "stderr"), "-c", str(folder / "conf" / "nginx.conf"), "-g", more]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(program, env={"PATH": os.environ["PATH"], **environment}, stderr=output)
        try:
            _wait(port, process, folder)
            yield WebProxy(folder, port, upstream)
        finally:
            process.terminate()
            process.wait(20)


def _wait(port, process, folder):
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError((folder / "output").read_text() + (folder / "stderr").read_text())

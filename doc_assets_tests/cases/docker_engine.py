"""A stand-in for Docker's engine that reads a create request as Go does, and says what the container could do."""

import json
import socketserver
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from doc_assets_tests.serving import serving

FOLDS = str.maketrans({"\u017f": "s", "\u212a": "k"})
CONTAINER = "c0ffee" + "0" * 58

CONFIG = [
    "Hostname",
    "Domainname",
    "User",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "ExposedPorts",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Env",
    "Cmd",
    "Healthcheck",
    "ArgsEscaped",
    "Image",
    "Volumes",
    "WorkingDir",
    "Entrypoint",
    "NetworkDisabled",
    "MacAddress",
    "OnBuild",
    "Labels",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "Runtime",
    "HostConfig",
    "NetworkingConfig",
]
HOST = [
    "Binds",
    "ContainerIDFile",
    "LogConfig",
    "NetworkMode",
    "PortBindings",
    "RestartPolicy",
    "AutoRemove",
    "VolumeDriver",
    "VolumesFrom",
    "ConsoleSize",
    "Annotations",
    "CapAdd",
    "CapDrop",
    "CgroupnsMode",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "IpcMode",
    "Cgroup",
    "Links",
    "OomScoreAdj",
    "PidMode",
    "Privileged",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "SecurityOpt",
    "StorageOpt",
    "Tmpfs",
    "UTSMode",
    "UsernsMode",
    "ShmSize",
    "Sysctls",
    "Runtime",
    "Isolation",
    "CpuShares",
    "Memory",
    "NanoCpus",
    "CgroupParent",
    "BlkioWeight",
    "BlkioDeviceReadBps",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "Devices",
    "DeviceCgroupRules",
    "DeviceRequests",
    "KernelMemory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "OomKillDisable",
    "PidsLimit",
    "Ulimits",
    "CpuCount",
    "CpuPercent",
    "IOMaximumIOps",
    "IOMaximumBandwidth",
    "Mounts",
    "MaskedPaths",
    "ReadonlyPaths",
    "Init",
]
FREE = {"AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce", "Cmd", "NetworkDisabled"}
FREE |= {"Volumes", "Labels", "Env", "Memory", "NanoCpus", "CpuShares", "PidsLimit", "ShmSize", "Ulimits", "Tmpfs"}
FREE |= {"MemorySwap", "LogConfig"}
VOLUMES = ("config-runs:", "home:", "results:", "logs:", "inbox:", "queries:", "uploads:", "archive:")


def folded(name):
    """A name as ``encoding/json`` compares it when no name is equal."""
    return name.translate(FOLDS).lower()


def as_go_reads(text, names):
    """The fields of one structure: names in any case, the last one wins; other names are not seen."""
    known = {folded(name): name for name in names}
    pairs = json.loads(text, object_pairs_hook=list) if isinstance(text, str | bytes) else text
    read = {}
    for name, value in pairs:
        if folded(name) in known:
            read[known[folded(name)]] = value
    return read


def powers(body, project="doc-assets", image="doc-assets:local"):
    """What in a create request is more than a run needs; empty for none."""
    config = as_go_reads(body, CONFIG)
    host = as_go_reads(config.pop("HostConfig", None) or [], HOST)
    config.pop("NetworkingConfig", None)
    wanted = {
        "Image": config.pop("Image", None) == image,
        "User": config.pop("User", None) == "10001:10001",
        "NetworkMode": host.pop("NetworkMode", None) == f"{project}_data",
        "ReadonlyRootfs": host.pop("ReadonlyRootfs", None) is True,
        "CapDrop": host.pop("CapDrop", None) == ["ALL"],
        "SecurityOpt": host.pop("SecurityOpt", None) == ["no-new-privileges:true"],
        "Binds": all(bind.startswith(tuple(f"{project}_{name}" for name in VOLUMES)) for bind in host.pop("Binds", [])),
    }
    found = [name for name, held in wanted.items() if not held]
    return found + [name for name, value in {**config, **host}.items() if name not in FREE and value]


class StandIn(socketserver.ThreadingUnixStreamServer):
    """Answers as the engine does, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(str(path), _Answers)
        self.asked = []


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        path = self.path.split("?")[0]
        status, answer = 200, {}
        if path.endswith("/version"):
            answer = {"ApiVersion": "1.41", "Version": "20.10.24"}
        elif path.endswith("/create"):
            status, answer = 201, {"Id": CONTAINER, "Warnings": []}
        elif path.endswith("/json"):
            answer = {"Id": CONTAINER, "State": {"Status": "running"}, "Config": {}, "Image": "sha256:0"}
        elif path.endswith(("/start", "/stop")):
            status = 204
        content = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


@contextmanager
def stand_in(path):
    """A running one on a socket."""
    server = StandIn(path)
    with serving(server):
        yield server

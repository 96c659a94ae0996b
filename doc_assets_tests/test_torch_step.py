"""Which build of torch an installation takes: the real step and the real pip, against indexes and folders made here.

The wheels are empty but for their metadata; versions, names and the lock files are the product's.
"""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from doc_assets_tests.serving import serving
from doc_assets_tests.shared import PROJECT

STEP = PROJECT / "deploy" / "torch" / "install.py"
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
pytestmark = [
    pytest.mark.skipif(not STEP.is_file(), reason="the folder deploy/ is not here"),
    pytest.mark.skipif(sys.platform != "linux", reason="the public build is CUDA on Linux only"),
]


@pytest.fixture(autouse=True, scope="module")
def pip():
    """The machine's pip; asked for when a test of this module runs, not whenever tests are collected."""
    if subprocess.run([PYTHON, "-m", "pip", "--version"], check=False, capture_output=True).returncode:
        pytest.skip(f"{PYTHON} has no pip (Debian: python3-pip)")


def pins(name):
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    return dict(re.match(r"([^=]+)===?([^\s;]+)", line).groups() for line in lines if "==" in line)


TORCH = pins("requirements.lock")["torch"] if STEP.is_file() else ""
CUDA = {name: version for name, version in pins("deploy/torch/cuda.lock").items() if name != "torch"} if TORCH else {}


def wheel(folder, name, version, needs=()):
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    metadata = "".join([f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                        *(f"Requires-Dist: {need}\n" for need in needs)])  # fmt: skip
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"{stem}.dist-info/METADATA", metadata)
        made.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def cpu_build(folder):
    return wheel(folder, "torch", f"{TORCH}+cpu")


def cuda_build(folder):
    """The public build, and every package that it needs."""
    for name, version in CUDA.items():
        wheel(folder, name, version)
    wheel(folder, "torch", "2.0.0")
    return wheel(folder, "torch", TORCH, [f"{name}=={version}" for name, version in CUDA.items()])


class Server(http.server.SimpleHTTPRequestHandler):
    """Folders of wheels as indexes; the index `silent` takes a request and answers later than any test waits."""

    def do_GET(self):
        index, name, file = [*self.path.strip("/").split("/"), "", ""][:3]
        self.server.asked[index] += 1
        if index == "silent":
            self.server.stop.wait(600)
            return
        folder = Path(self.directory) / index
        if file:
            self.path = f"/{index}/{file}"
            super().do_GET()
            return
        files = [path.name for path in folder.glob(f"{name.replace('-', '_')}-[0-9]*.whl")]
        page = "".join(f'<a href="{each.replace("+", "%2B")}">{each}</a>\n' for each in files).encode()
        self.send_response(200 if files else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


class Machine:
    """A machine with an empty environment, a public index, a folder of wheels, and the makers' index."""

    def __init__(self, folder, server):
        self.folder = folder
        self.asked = server.asked
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.public, self.makers, self.named, self.wheels = (
            folder / name for name in ("public", "makers", "named", "wheels")
        )
        self.wheelhouse = folder / "wheelhouse"
        self.wheelhouse.mkdir()
        self.wheels.mkdir()
        self.environment = folder / "environment"
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", self.environment], check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TORCH", "PYTHON"))}
        self.env = {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "NO_PROXY": "127.0.0.1",
                    "PIP_INDEX_URL": f"{self.url}/public", "PIP_RETRIES": "0"}  # fmt: skip

    def step(self, *arguments, makers="makers", exit_code=0, **env):
        command = [PYTHON, STEP, "--makers-index", f"{self.url}/{makers}", "--wheelhouse", self.wheelhouse]
        if "--wheels" not in arguments:
            command += ["--python", self.environment / "bin" / "python"]
        done = subprocess.run([*command, *arguments], env=self.env | env, capture_output=True, text=True, check=False,
                              cwd=self.folder, timeout=500)  # fmt: skip
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def installed(self):
        """What is there now; nothing of it may lack anything."""
        found = list(distributions(path=[str(next(self.environment.glob("lib/python3*/site-packages")))]))
        there = {each.name: each.version for each in found}
        assert all(
            there[need.name] in need.specifier for each in found for need in map(Requirement, each.requires or [])
        )
        return there


@pytest.fixture
def machine(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(tmp_path)))
    server.asked = Counter()
    server.stop = threading.Event()
    with serving(server):
        yield Machine(tmp_path, server)
        server.stop.set()


ONLY_CPU = {"torch": f"{TORCH}+cpu"}
WHOLE_CUDA = {"torch": TORCH, **CUDA}


@pytest.mark.slow
def test_a_cpu_build_among_the_machines_own_wheels_is_taken_alone(machine):
    cuda_build(machine.public)
    cpu_build(machine.wheels)

    said = machine.step(PIP_FIND_LINKS=str(machine.wheels), PIP_QUIET="1")

    assert said == f"torch: torch {TORCH}+cpu from what pip finds here\n"
    assert machine.installed() == ONLY_CPU
    assert machine.asked["makers"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("where", ["wheelhouse", "extra index", "settings of pip", "index"])
def test_a_cpu_build_is_found_wherever_the_machine_offers_it(machine, where):
    cuda_build(machine.public)
    cpu_build({"wheelhouse": machine.wheelhouse, "index": machine.public}.get(where, machine.named))
    settings = machine.folder / "pip.conf"
    settings.write_text(f"[global]\nfind-links = {machine.named}\n", encoding="utf-8")
    env = {
        "extra index": {"PIP_EXTRA_INDEX_URL": f"{machine.url}/named"},
        "settings of pip": {"PIP_CONFIG_FILE": str(settings)},
    }

    machine.step(**env.get(where, {}))

    assert machine.installed() == ONLY_CPU


@pytest.mark.slow
def test_without_a_network_the_wheelhouse_is_enough(machine):
    cpu_build(machine.wheelhouse)

    machine.step(PIP_NO_INDEX="1")

    assert machine.installed() == ONLY_CPU
    assert not machine.asked


@pytest.mark.slow
def test_else_the_makers_are_asked_once(machine):
    cuda_build(machine.public)
    cpu_build(machine.makers)

    said = machine.step()

    assert said == f"torch: torch {TORCH}+cpu from {machine.url}/makers\n"
    assert machine.installed() == ONLY_CPU
    assert machine.asked["makers"] == 3  # a question, then page and file of the installation


@pytest.mark.slow
@pytest.mark.parametrize("makers", ["makers", "silent"])
def test_else_the_public_build_comes_with_all_it_needs_after_a_sentence(machine, makers):
    cuda_build(machine.public)

    said = machine.step(makers=makers)

    assert machine.installed() == WHOLE_CUDA
    assert machine.asked[makers] == 1
    sizes = [int(each) for each in re.findall(r"# (\d+) MB", (STEP.parent / "cuda.lock").read_text(encoding="utf-8"))]
    assert said.endswith(  # before it, on a slow machine: no answer within 30 s
        f"torch: no CPU build could be had, so the public CUDA build of torch {TORCH} with {len(CUDA)} packages that "
        f"it depends on, from what pip finds here: {sum(sizes) / 1000:.1f} GB of wheels to fetch, about "
        f"{sum(sizes) * 2 / 1000:.0f} GB installed\n"
    )


@pytest.mark.slow
def test_makers_whose_address_leads_nowhere_hold_nothing_up(machine):
    cuda_build(machine.public)

    machine.step("--makers-index", "http://127.0.0.1:1/whl/cpu")

    assert machine.installed() == WHOLE_CUDA


@pytest.mark.slow
def test_a_cpu_build_of_another_version_is_none(machine):
    cuda_build(machine.public)
    for folder in (machine.wheels, machine.makers):
        wheel(folder, "torch", "2.99.0+cpu")

    machine.step(PIP_FIND_LINKS=str(machine.wheels))

    assert machine.installed() == WHOLE_CUDA


@pytest.mark.slow
def test_a_cpu_build_that_is_listed_and_cannot_be_fetched_is_followed_by_the_next_source(machine):
    cuda_build(machine.public)
    (machine.public / f"torch-{TORCH}+cpu-py3-none-any.whl").write_bytes(b"no wheel")
    cpu_build(machine.makers)

    said = machine.step()

    assert machine.installed() == ONLY_CPU
    assert "that failed, see above; the next source is asked" in said


@pytest.mark.slow
def test_only_a_cpu_build_is_taken_if_that_is_asked_for(machine):
    cuda_build(machine.public)

    said = machine.step(TORCH="cpu", exit_code=1)

    assert machine.installed() == {}
    assert f"\ntorch: no CPU build of torch {TORCH} for Python 3." in said
    assert f"from: what pip finds here, {machine.url}/makers. Put its wheel into wheelhouse/" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_cuda_build_is_taken_though_a_cpu_build_lies_at_hand(machine):
    cuda_build(machine.public)
    cpu_build(machine.wheels)
    cpu_build(machine.makers)

    said = machine.step(PIP_FIND_LINKS=str(machine.wheels), TORCH="cuda")

    assert said.startswith(f"torch: the public CUDA build of torch {TORCH} with")
    assert machine.installed() == WHOLE_CUDA
    assert machine.asked["makers"] == 0


@pytest.mark.slow
def test_both_builds_can_follow_each_other(machine):
    cuda_build(machine.public)
    cpu_build(machine.wheels)
    for wanted, there in (("cuda", TORCH), ("cpu", f"{TORCH}+cpu")):
        machine.step(PIP_FIND_LINKS=str(machine.wheels), TORCH=wanted)
        assert machine.installed()["torch"] == there


@pytest.mark.slow
def test_a_public_build_that_an_earlier_installation_left_without_its_dependencies_is_made_whole(machine):
    left = machine.environment.glob("lib/python3*/site-packages")
    with zipfile.ZipFile(cuda_build(machine.public)) as made:
        made.extractall(next(left))

    machine.step()

    assert machine.installed() == WHOLE_CUDA


@pytest.mark.slow
def test_what_is_there_is_not_asked_for_again(machine):
    cuda_build(machine.public)
    machine.step()
    machine.asked.clear()

    assert machine.step() == ""
    assert machine.step(TORCH="cuda") == ""
    assert not machine.asked


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["", "cuda"])
def test_a_named_index_gives_its_cuda_build_with_what_that_needs(machine, wanted):
    cuda_build(machine.public)
    cpu_build(machine.wheels)
    shutil.copy(wheel(machine.folder / "made", "nvidia-cublas-cu12", "12.8.4.1"), machine.public)
    wheel(machine.named, "torch", f"{TORCH}+cu128", ["nvidia-cublas-cu12==12.8.4.1"])
    named = machine.url.replace("//", "//someone:secret@") + "/named/"

    said = machine.step(PIP_FIND_LINKS=str(machine.wheels), TORCH=wanted, TORCH_INDEX_URL=named)

    assert machine.installed() == {"torch": f"{TORCH}+cu128", "nvidia-cublas-cu12": "12.8.4.1"}
    assert f"torch {TORCH}+cu128 from {machine.url}/named, with dependencies that no lock pins" in said
    assert "secret" not in said


@pytest.mark.slow
def test_a_named_index_with_both_builds_gives_the_one_that_is_asked_for(machine):
    cpu_build(machine.named)
    wheel(machine.named, "torch", f"{TORCH}+cu128")
    named = f"{machine.url}/named"
    for wanted, there in (("", f"{TORCH}+cpu"), ("cuda", f"{TORCH}+cu128"), ("cpu", f"{TORCH}+cpu")):
        machine.step(TORCH=wanted, TORCH_INDEX_URL=named)
        assert machine.installed() == {"torch": there}


@pytest.mark.slow
def test_a_named_index_that_has_nothing_is_told_and_the_others_are_asked(machine):
    cuda_build(machine.public)
    cpu_build(machine.makers)

    said = machine.step(TORCH_INDEX_URL=f"{machine.url}/typo")

    assert f"torch: {machine.url}/typo has no build of torch {TORCH} for Python 3." in said
    assert machine.installed() == ONLY_CPU


@pytest.mark.slow
def test_a_lack_of_every_build_is_said_in_a_sentence(machine):
    said = machine.step(exit_code=1, PIP_INDEX_URL="http://127.0.0.1:1/nobody", PIP_RETRIES="1")

    assert f"\ntorch: no build of torch {TORCH} for Python 3." in said
    assert "Connection refused" in said
    assert "Traceback" not in said
    assert "TORCH_INDEX_URL" in said


@pytest.mark.slow
def test_a_public_build_without_what_it_needs_is_not_left_behind(machine):
    cuda_build(machine.wheels)
    next(machine.wheels.glob("triton-*.whl")).unlink()

    machine.step(PIP_FIND_LINKS=str(machine.wheels), PIP_NO_INDEX="1", exit_code=1)

    assert machine.installed() == {}


@pytest.mark.slow
@pytest.mark.parametrize(("sources", "wanted", "expected"), [
    ("public", "", WHOLE_CUDA), ("public wheels", "", ONLY_CPU), ("public wheels makers", "cuda", WHOLE_CUDA),
])  # fmt: skip
def test_a_wheelhouse_holds_all_that_its_torch_needs(machine, sources, wanted, expected):
    cuda_build(machine.public)
    for name in sources.split()[1:]:
        cpu_build(getattr(machine, name))
    cpu_build(machine.wheelhouse)  # of an earlier time: no source, and gone afterwards
    wheel(machine.wheelhouse, "torch", "2.0.0")

    machine.step("--wheels", machine.wheelhouse, PIP_FIND_LINKS=str(machine.wheels), TORCH=wanted)

    assert len(list(machine.wheelhouse.iterdir())) == len(expected)
    # As deploy/image/install.sh does it, with nothing else at hand.
    machine.step(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(machine.wheelhouse), TORCH_INDEX_URL=f"{machine.url}/named")
    assert machine.installed() == expected


@pytest.mark.slow
def test_wheels_for_another_python_than_the_images_are_refused(machine):
    cuda_build(machine.public)
    old = cpu_build(machine.wheelhouse)

    said = machine.step("--wheels", machine.wheelhouse, "--image", "registry.example/python:3.9-slim", exit_code=1)

    assert "the image registry.example/python:3.9-slim has 3.9. Give PYTHON=python3.9" in said
    assert list(machine.wheelhouse.iterdir()) == [old]
    here = f"python:3.{sys.version_info.minor}-slim"
    machine.step("--wheels", machine.wheelhouse, "--image", here)


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_taken_and_takes_nothing(machine):
    cuda_build(machine.public)

    assert f"the public CUDA build of torch {TORCH}" in machine.step("--dry-run", "--wheels", machine.wheelhouse)
    assert machine.installed() == {}
    assert list(machine.wheelhouse.iterdir()) == []


@pytest.mark.slow
def test_a_word_that_is_no_build_is_wrong_use(machine):
    said = machine.step(TORCH="gpu", exit_code=2)

    assert "TORCH=gpu is neither cpu nor cuda" in said


def test_both_lock_files_pin_one_torch_and_share_nothing_else():
    other = {name.lower().replace("_", "-") for name in pins("requirements.lock")}

    assert pins("deploy/torch/cuda.lock")["torch"] == TORCH
    assert CUDA
    assert not other & set(CUDA)


@pytest.mark.parametrize(("there", "wanted", "makes_anew"), [
    ("torch-2.13.0+cpu", "", False), ("torch-2.13.0+cpu", "cpu", False), ("torch-2.13.0+cpu", "cuda", True),
    ("torch-2.13.0", "", False), ("torch-2.13.0", "cuda", False), ("torch-2.13.0", "cpu", True),
    ("torch-2.13.0+cu128", "cuda", False), ("torch-2.13.0+cu128", "cpu", True),
])  # fmt: skip
@pytest.mark.parametrize("target", [".venv/.installed", "wheelhouse/.filled"])
def test_the_other_build_makes_an_environment_and_a_wheelhouse_anew(tmp_path, there, wanted, makes_anew, target):
    (tmp_path / "deploy" / "torch").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "deploy/torch/cuda.lock"):
        shutil.copy(PROJECT / name, tmp_path / name)
    folder = tmp_path / (".venv/lib/python3.11/site-packages" if target.startswith(".venv") else "wheelhouse")
    suffix = ".dist-info" if target.startswith(".venv") else "-cp311-cp311-manylinux_2_28_x86_64.whl"
    (folder / f"{there}{suffix}").mkdir(parents=True)
    (tmp_path / target).touch()

    command = ["make", "--dry-run", target, *([f"TORCH={wanted}"] if wanted else [])]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "TORCH"))}
    told = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout

    assert ("deploy/torch/install.py" in told) == makes_anew
    if target.startswith(".venv"):
        assert ("venv --clear" in told) == makes_anew

"""Installs the pinned torch, or puts its wheels into a folder: a CPU build wherever one can be had.

    python3 deploy/torch/install.py --python .venv/bin/python [-- OPTIONS OF pip install]
    python3 deploy/torch/install.py --wheels wheelhouse
    --dry-run says what would be taken and changes nothing

The public wheel of torch for Linux is the CUDA build: with its dependencies more than ten times the size of the CPU
build. Sources, in this order; the first one that has a CPU build of the pinned version gives it:

1. the index that TORCH_INDEX_URL names. A named index is a decision, so a CUDA build there is taken as well;
2. whatever pip looks at on this machine (index, extra indexes, find-links), and the folder wheelhouse/;
3. the CPU index of torch's makers, asked once: 5 s for a connection, 30 in all;
4. the public wheel with its dependencies, pinned in cuda.lock, after a sentence that says how much that is.

TORCH=cpu never takes a CUDA build, TORCH=cuda takes one even where a CPU build lies at hand. pip is asked for versions
before anything is downloaded: CPU and CUDA builds differ in the local part of their version (2.13.0+cpu) only.

Only the standard library and pip are used, because this runs before anything is installed. Exit codes: 0 done, 1 no
such build can be had or pip failed, 2 wrong use.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
LOCK = TREE / "requirements.lock"
CUDA_LOCK = Path(__file__).with_name("cuda.lock")
MAKERS_INDEX = "https://download.pytorch.org/whl/cpu"
ASK_SECONDS = 60
"""Limit of one question to the indexes that this machine is set up for."""
MAKERS_SECONDS = 30
"""Limit of the one question to torch's makers: nobody shall wait where there is no network."""
NOWHERE_ELSE = {"PIP_FIND_LINKS": " ", "PIP_EXTRA_INDEX_URL": " "}
"""For questions to one index: pip takes an empty value for none given, a blank for an empty list."""
THIS = f"Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform} {platform.machine()}"


class StepError(Exception):
    """The step cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Source:
    """A place where pip looks for torch.

    Attributes:
        options: options of pip that make it look there.
        patience: options for a question only.
        seconds: limit of a question.
        is_named: whether somebody chose this index for torch.
    """

    name: str
    options: tuple[str, ...] = ()
    patience: tuple[str, ...] = ()
    seconds: float = ASK_SECONDS
    is_named: bool = False


@dataclass(frozen=True)
class Choice:
    """One build at one source.

    Attributes:
        arguments: arguments of pip install or pip wheel.
        text: the choice in words.
        megabytes: size of the wheels where it is known, else 0.
    """

    arguments: tuple[str, ...]
    text: str
    megabytes: int = 0


class Pip:
    """The pip of this Python, at work on an environment that has no pip."""

    def __init__(self, python: Path | None) -> None:
        self._command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
        if python is not None:
            self._command += ["--python", str(python)]
        self.complaints: dict[str, None] = {}
        """What pip said when a question had no answer, in order."""

    def versions(self, source: Source) -> list[str]:
        """All versions of torch that fit Python and machine; none if the source does not answer in time."""
        command = [*self._command, "index", "versions", "torch", *source.options, *source.patience]
        env = os.environ | {"PIP_QUIET": "0"} | (NOWHERE_ELSE if "--index-url" in source.options else {})
        try:
            asked = subprocess.run(
                command, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                timeout=source.seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            say(f"{source.name} gave no answer within {source.seconds:g} s")
            return []
        if listed := re.search(r"^Available versions: (.*)$", asked.stdout, re.MULTILINE):
            return listed[1].split(", ")
        lines = (line for line in asked.stderr.splitlines() if "experimental command" not in line)
        self.complaints |= dict.fromkeys(line for line in lines if line.startswith(("WARNING", "ERROR")))
        return []

    def run(self, *arguments: str) -> bool:
        """Whether pip did it; what it complains of is on standard error."""
        return subprocess.run([*self._command, *arguments], check=False, stdin=subprocess.DEVNULL).returncode == 0


def known_sources(wanted: str, named: str, makers: str, wheelhouse: Path) -> list[Source]:
    """Where to look, in this order."""
    filled = any(wheelhouse.glob("torch-*.whl"))
    sources = [Source("what pip finds here", ("--find-links", str(wheelhouse)) if filled else ())]
    if os.environ.get("PIP_NO_INDEX", "").lower() not in {"", "0", "false", "no", "off"}:
        return sources
    if named and named != makers:
        sources.insert(0, Source(shown(named), ("--index-url", named), is_named=True))
    if wanted != "cuda":
        patience = ("--timeout", "5", "--retries", "0")
        sources.append(Source(shown(makers), ("--index-url", makers), patience, MAKERS_SECONDS))
    return sources


def choices(pip: Pip, wanted: str, version: str, sources: list[Source]) -> Iterator[Choice]:
    """Builds of ``version`` in the order in which they are tried; a source is asked when its turn comes."""
    is_public_cuda = sys.platform == "linux"
    found: list[tuple[Source, list[str]]] = []
    for source in sources:
        builds = [build for build in pip.versions(source) if build.partition("+")[0] == version]
        found.append((source, builds))
        if source.is_named and not builds:
            say(f"{source.name} has no build of torch {version} for {THIS}")
        cpu = [build for build in builds if "+cpu" in build]
        if cpu and wanted != "cuda":
            yield _alone(cpu[0], source)
        elif source.is_named and wanted != "cpu":
            yield from (_with_dependencies(build, source) for build in builds if "+" in build and build not in cpu)
    if is_public_cuda and wanted != "cpu":
        yield from (_public(version, source) for source, builds in found if version in builds)
        yield from (
            _with_dependencies(build, source)
            for source, builds in found
            for build in builds
            if "+" in build and "+cpu" not in build and not source.is_named
        )
    if not is_public_cuda and wanted != "cuda":
        yield from (_alone(version, source) for source, builds in found if version in builds)


def _alone(build: str, source: Source) -> Choice:
    """Whatever a CPU build depends on is pinned in requirements.lock."""
    return Choice(("--no-deps", *source.options, f"torch==={build}"), f"torch {build} from {source.name}")


def _with_dependencies(build: str, source: Source) -> Choice:
    beside = tuple("--extra-index-url" if option == "--index-url" else option for option in source.options)
    return Choice(
        ("--constraint", str(LOCK), *beside, f"torch==={build}"),
        f"torch {build} from {source.name}, with dependencies that no lock pins ({CUDA_LOCK.name}: the public build's)",
    )


def _public(version: str, source: Source) -> Choice:
    packages, megabytes = cuda_packages()
    return Choice(
        ("--no-deps", *source.options, "--requirement", str(CUDA_LOCK)),
        f"the public CUDA build of torch {version} with {packages - 1} packages that it depends on, from "
        f"{source.name}: {megabytes / 1000:.1f} GB of wheels to fetch, about {2 * megabytes / 1000:.0f} GB installed",
        megabytes,
    )


def cuda_packages() -> tuple[int, int]:
    """Number of packages in cuda.lock, and their size in MB: the sum of what stands behind each of them."""
    sizes = re.findall(r"^[^#\s]+==.*# (\d+) MB$", CUDA_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return len(sizes), sum(map(int, sizes))


def pinned_torch(lock: Path = LOCK) -> str:
    """The version of torch in a lock file.

    Raises:
        StepError: if the file pins none.
    """
    line = re.search(r"^torch===?([^\s;#]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if line is None:
        raise StepError(f"{lock} pins no torch; a line such as torch==2.13.0 is needed. `make lock` writes it.")
    return line[1]


def is_there(python: Path, wanted: str, version: str) -> bool:
    """Whether an environment already has a build that is wanted, the public one with everything it depends on."""
    program = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    asked = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True)
    there = {re.sub("[-_.]+", "-", name).lower(): found for name, found in json.loads(asked.stdout).items()}
    public, _, local = there.get("torch", "").partition("+")
    is_cpu = local.startswith("cpu") or sys.platform != "linux"
    pins = re.findall(r"^([^#\s=]+)===?(\S+)", CUDA_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    is_whole = is_cpu or bool(local) or all(there.get(name) == pin for name, pin in pins)
    return public == version and is_whole and wanted in {"", "cpu" if is_cpu else "cuda"}


def shown(url: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", url)


def say(text: str) -> None:
    """One line, at once: a long download may follow."""
    sys.stdout.write(f"torch: {text}\n")
    sys.stdout.flush()


def take(asked: argparse.Namespace, wanted: str, version: str) -> None:
    """Installs or collects the first build that can be had.

    Raises:
        StepError: if there is none.
    """
    pip = Pip(asked.python)
    named = os.environ.get("TORCH_INDEX_URL", "").rstrip("/")
    target = asked.wheels or asked.python.parent.parent
    command = (
        ["wheel", "--quiet", "--wheel-dir", str(asked.wheels)] if asked.wheels else ["install", "--quiet", *asked.pip]
    )
    # Wheels that are to be collected anew are no source of themselves.
    wheelhouse = asked.wheelhouse if asked.wheelhouse != asked.wheels else Path(os.devnull)
    sources = known_sources(wanted, named, asked.makers_index, wheelhouse)
    for choice in choices(pip, wanted, version, sources):
        say(f"no CPU build could be had, so {choice.text}" if choice.megabytes and not wanted else choice.text)
        if asked.dry_run:
            return
        free = shutil.disk_usage(target).free / 1e6
        needed = choice.megabytes * (1 if asked.wheels else 2)
        if free < needed:
            raise StepError(
                f"{target} has {free / 1000:.1f} GB free and needs {needed / 1000:.1f}. Make room and repeat."
            )
        if asked.wheels:  # others would be installed beside the new ones
            for old in asked.wheels.glob("*.whl"):
                old.unlink()
        if pip.run(*command, *choice.arguments):
            return
        say("that failed, see above; the next source is asked")
    sys.stderr.write("".join(f"pip: {line}\n" for line in pip.complaints))
    looked = ", ".join(source.name for source in sources)
    kind = {"cpu": "CPU build", "cuda": "CUDA build"}.get(wanted, "build")
    raise StepError(
        f"no {kind} of torch {version} for {THIS} could be had from: {looked}. Put its wheel into wheelhouse/, name an "
        "index that has it in TORCH_INDEX_URL" + (", or take the CUDA build: TORCH=cuda." if wanted == "cpu" else ".")
    )


def check_image(image: str) -> None:
    """Wheels are for one Python, which must be that of the image.

    Raises:
        StepError: if the image's name says another one than this.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    there = re.search(r"python:(3\.\d+)", image)
    if there and there[1] != here:
        raise StepError(
            f"these wheels would be for Python {here}, the image {image} has {there[1]}. Give "
            f"PYTHON=python{there[1]}, or build the image with another PYTHON_IMAGE."
        )


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description="Installs the pinned torch: a CPU build wherever one can be had.")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--python", type=Path, help="the environment's interpreter")
    target.add_argument("--wheels", type=Path, help="folder that is emptied of wheels and gets these instead")
    parser.add_argument("--image", default="", help="base image that wheels are for")
    parser.add_argument("--wheelhouse", type=Path, default=TREE / "wheelhouse", help="folder of wheels at hand")
    parser.add_argument("--version", help="default: what requirements.lock pins")
    parser.add_argument("--makers-index", default=MAKERS_INDEX, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="say what would be taken")
    parser.add_argument("pip", nargs="*", help="options of pip install, after --")
    asked = parser.parse_args()
    wanted = os.environ.get("TORCH", "")
    if wanted not in {"", "cpu", "cuda"}:
        parser.error(
            f"TORCH={wanted} is neither cpu nor cuda. Leave it out to take what is at hand, a CPU build first."
        )
    if importlib.util.find_spec("pip") is None:
        sys.stderr.write(f"torch: {sys.executable} has no pip, which installs everything (Debian: python3-pip)\n")
        return 1
    try:
        if asked.image:
            check_image(asked.image)
        version = asked.version or pinned_torch()
        if asked.python is None or not is_there(asked.python, wanted, version):
            take(asked, wanted, version)
    except StepError as error:
        sys.stderr.write(f"torch: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

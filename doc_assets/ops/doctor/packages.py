"""Installed packages against the versions this program was written for."""

import platform
from functools import partial
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from doc_assets.ops.doctor.check import Check, Finding, green, red

_US = "doc_assets"
_INSTALL = "Run `make .venv/.installed`, or `pip install -r requirements.lock`."


def package_checks() -> list[Check]:
    """Python, and every package that this one requires."""
    return [Check("packages", "python", check_python), *(_check(wanted) for wanted in _requirements())]


def check_python() -> Finding:
    """The interpreter's version."""
    found = platform.python_version()
    wanted = SpecifierSet(metadata.metadata(_US)["Requires-Python"])
    if found not in wanted:
        return red(f"{found}, wanted {wanted}", "Install with a Python of that version.")
    return green(found)


def check_package(requirement: Requirement) -> Finding:
    """Whether a package is installed in a version that fits."""
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return red(f"not installed, wanted {requirement.specifier}", _INSTALL)
    if not requirement.specifier.contains(found, prereleases=True):
        return red(f"{found}, wanted {requirement.specifier}", _INSTALL)
    return green(found)


def _check(requirement: Requirement) -> Check:
    return Check("packages", requirement.name, partial(check_package, requirement))


def _requirements() -> list[Requirement]:
    every = [Requirement(line) for line in metadata.requires(_US) or []]
    return [found for found in every if found.marker is None or found.marker.evaluate({"extra": ""})]

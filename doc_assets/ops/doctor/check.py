"""What a check is, and how checks are run."""

from collections.abc import Callable, Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from enum import StrEnum

from doc_assets.util.threads import in_background

_TIME_LIMIT_S = 60.0
_DEFECT = "This check itself failed; report it, or repair what the message names."


class Level(StrEnum):
    """How well it is."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do unless it is green; red if the product cannot work like this."""

    level: Level
    says: str
    fix: str = ""


def green(says: str) -> Finding:
    """All is well."""
    return Finding(Level.GREEN, says)


def yellow(says: str, fix: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(Level.YELLOW, says, fix)


def red(says: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(Level.RED, says, fix)


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it is about, e.g. ``store``, its name in that group, and what looks, which may raise."""

    group: str
    name: str
    look: Callable[[], Finding]


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A check and what it found."""

    group: str
    name: str
    level: Level
    says: str
    fix: str


def run_checks(checks: Iterable[Check], time_limit_s: float = _TIME_LIMIT_S) -> list[CheckedLine]:
    """Every check's line, in order; red if it raises, whatever that is, or takes longer than the limit.

    A check that hangs on a dead share is left behind; the program may end without it.
    """
    return [_run(check, time_limit_s) for check in checks]


def _run(check: Check, time_limit_s: float) -> CheckedLine:
    looking = in_background(check.look, f"check {check.name}")
    wait([looking], time_limit_s)
    if not looking.done():
        found = red(
            f"no answer within {time_limit_s:g} s",
            "Is it on a share or server that is away? Bring that back, or point its setting elsewhere.",
        )
    elif (error := looking.exception()) is not None:
        found = red(f"{type(error).__name__}: {error}", _DEFECT)
    else:
        found = looking.result()
    return CheckedLine(check.group, check.name, found.level, _one_line(found.says), _one_line(found.fix))


def _one_line(text: str) -> str:
    return " ".join(text.split())

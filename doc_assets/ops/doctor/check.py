"""What a check is, and how checks are run."""

from collections.abc import Callable, Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from enum import StrEnum

from doc_assets.util.threads import in_background

TIME_LIMIT_S = 60.0
_DEFECT = "This check itself failed; report it, or repair what the message names."


class Level(StrEnum):
    """How well it is."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        level: green if nothing needs to be done, red if the product cannot work like this.
        says: what was found, in one line.
        fix: what to do; empty if green.
    """

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
    """A named check.

    Attributes:
        group: what it is about, e.g. ``store``.
        name: what it looks at, unique in its group.
        look: looks; may raise.
    """

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


def run_check(check: Check, time_limit_s: float = TIME_LIMIT_S) -> CheckedLine:
    """The check's line; red if it raises or takes longer than the limit, whatever it raises.

    A check that hangs on a dead share is left behind; the program may end without it.
    """
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


def run_checks(checks: Iterable[Check], time_limit_s: float = TIME_LIMIT_S) -> list[CheckedLine]:
    """Every check's line, in order."""
    return [run_check(check, time_limit_s) for check in checks]


def _one_line(text: str) -> str:
    return " ".join(text.split())

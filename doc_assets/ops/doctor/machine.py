"""What the machine offers: memory, processors, card, fonts, clock."""

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from doc_assets.errors import SetupError
from doc_assets.ops.doctor.check import Check, Finding, green, red, yellow
from doc_assets.settings import Settings
from doc_assets.util.fonts import font

MIN_AVAILABLE_BYTES = 1 << 30
"""Red below: the programs alone, before the first page, take about that much."""
WANTED_AVAILABLE_BYTES = 3 << 30
"""Yellow below: a run with torch and two decoders of A4 pages."""

_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
_LATEST = datetime(2066, 1, 1, tzinfo=UTC)
_CGROUP = Path("/sys/fs/cgroup")


def machine_checks(settings: Settings) -> list[Check]:
    """Checks of the machine."""
    return [
        Check("machine", "memory", check_memory),
        Check("machine", "processors", lambda: check_processors(settings)),
        Check("machine", "card", lambda: check_card(settings)),
        Check("machine", "fonts", check_fonts),
        Check("machine", "clock", lambda: check_clock(settings, datetime.now(UTC))),
    ]


def check_memory() -> Finding:
    """Memory that is free now, within the limit of this container."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    known = {name: int(value.split()[0]) << 10 for name, value in (line.split(":") for line in lines)}
    total, available = known["MemTotal"], known["MemAvailable"]
    limit = _number(_CGROUP / "memory.max")
    if limit is not None and limit < total:
        total, available = limit, min(available, max(0, limit - (_number(_CGROUP / "memory.current") or 0)))
    says = f"{_gib(available)} of {_gib(total)} free"
    if available < MIN_AVAILABLE_BYTES:
        return red(
            says, f"End other programs or give the machine or container more; {_gib(MIN_AVAILABLE_BYTES)} needed."
        )
    if available < WANTED_AVAILABLE_BYTES:
        return yellow(says, "Lower DOC_ASSETS_DECODE_WORKERS and DOC_ASSETS_EMBED_BATCH_SIZE, or give it more memory.")
    return green(says)


def check_processors(settings: Settings) -> Finding:
    """Processors that this process may use, against the decoders that run side by side."""
    usable = len(os.sched_getaffinity(0))
    says = f"{usable} usable, {settings.decode_workers} decoders"
    if settings.decode_workers > 2 * usable:
        return yellow(says, f"Set DOC_ASSETS_DECODE_WORKERS to {usable}.")
    return green(says)


def check_card(settings: Settings) -> Finding:
    """The card that models run on."""
    import torch

    if not torch.cuda.is_available():
        if settings.device == "cuda":
            return red(
                "DOC_ASSETS_DEVICE=cuda, and torch sees no card",
                "Install driver, container toolkit and a CUDA build of torch, or set DOC_ASSETS_DEVICE to auto.",
            )
        return green("none; models run on the processor")
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return green(names + ("; not used, DOC_ASSETS_DEVICE=cpu" if settings.device == "cpu" else ""))


def check_fonts() -> Finding:
    """The Hangul font that reports are drawn with."""
    try:
        family, style = font(12).getname()
    except SetupError as error:
        return red(str(error), "Install the package it names.")
    except OSError as error:
        return red(f"the font file cannot be read: {error}", "Install koreanize-matplotlib again.")
    return green(f"{family} {style}")


def check_clock(settings: Settings, now: datetime) -> Finding:
    """Whether the clock can be right, and the time zone of the schedules exists."""
    try:
        zone = ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return red(
            f"there is no time zone {settings.timezone!r}",
            "Set DOC_ASSETS_TIMEZONE to a name such as Asia/Seoul; on a bare machine install tzdata.",
        )
    says = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {now.astimezone(zone):%H:%M:%S} {settings.timezone}"
    if not _RELEASED <= now < _LATEST:
        return red(says, "The clock is wrong: keys of drops and what is deleted by age follow from it. Set it (NTP).")
    return green(says)


def _number(path: Path) -> int | None:
    """The number in a file of the control group; None if there is no such file or no limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"

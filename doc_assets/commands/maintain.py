"""``doc-assets maintain``."""

import logging

from rich.table import Table

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.cli.console import console
from doc_assets.ops.maintenance.report import MaintenanceReport
from doc_assets.ops.maintenance.upkeep import tidy_home
from doc_assets.settings import Settings

_MAX_PRINTED = 50
_log = logging.getLogger(__name__)


def maintain(settings: Settings, *, dry_run: bool) -> MaintenanceReport:
    """Deletes what is too old, or says what would go."""
    with Ledger.open(settings.ledger_address) as ledger:
        report = tidy_home(settings, ledger, dry_run=dry_run)
    for kind, tally in report.kinds.items():
        _log.info("%s: %d things, %d bytes %s", kind, tally.n, tally.size_bytes, "would go" if dry_run else "went")
    return report


def print_report(report: MaintenanceReport) -> None:
    """What went, by kind."""
    out = console()
    table = Table("kind", "things", "bytes")
    for kind, tally in report.kinds.items():
        table.add_row(kind, str(tally.n), f"{tally.size_bytes:,}")
    if report.kinds:
        out.print(table)
    for path in report.paths[:_MAX_PRINTED]:
        out.print(f"  {path}")
    if len(report.paths) > _MAX_PRINTED:
        out.print(f"  ... and more; --json lists {len(report.paths)}")
    for fault in report.failed:
        out.print(f"NOT DELETED  {fault}")
    verb = "would go" if report.dry_run else "went"
    out.print(f"{sum(tally.n for tally in report.kinds.values())} things, {report.size_bytes:,} bytes {verb}.")

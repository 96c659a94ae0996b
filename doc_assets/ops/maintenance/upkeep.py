"""Maintenance of the home that the settings name, for the command and the job."""

from datetime import UTC, datetime

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.ops.maintenance.report import MaintenanceReport
from doc_assets.ops.maintenance.tidy import Keeping, Places, tidy
from doc_assets.settings import Settings
from doc_assets.util.log_files import CLOSED_PATTERN


def tidy_home(settings: Settings, ledger: Ledger, *, dry_run: bool) -> MaintenanceReport:
    """Deletes what the settings say is too old, or says what would go."""
    places = Places(settings.home, settings.bulk, settings.log_dir, CLOSED_PATTERN, settings.results_dir)
    keeping = Keeping(settings.keep_logs_days, settings.keep_results_days, settings.keep_superseded_days)
    return tidy(ledger, places, keeping, datetime.now(UTC), dry_run=dry_run)

"""Whether what a home keeps is whole: its databases, what the archive holds, and the models that were added."""

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import make_url

from doc_assets.archive.consistency import Findings
from doc_assets.archive.ledger.database import is_absent, sqlite_faults
from doc_assets.features.model_folders import differences, model_names
from doc_assets.settings import Settings


def check_home(settings: Settings, compare: Callable[[], Findings], *, read_data: bool) -> Findings:
    """Compares everything that is kept; a ledger that is damaged is not looked into further.

    Args:
        settings: of the home.
        compare: opens the archive and compares what it holds.
        read_data: whether databases and models are read as well.
    """
    if not read_data:
        return compare()
    of_ledger = list(_ledger_faults(settings))
    others = list(_other_faults(settings))
    findings = Findings() if of_ledger else compare()
    for fault in (*of_ledger, *others, *_model_faults(settings.models_dir)):
        findings.add(fault)
    return findings


def _ledger_faults(settings: Settings) -> Iterator[str]:
    ledger = make_url(settings.ledger_address)
    if ledger.get_backend_name() == "sqlite" and not is_absent(settings.ledger_address):
        path = Path(str(ledger.database))
        for fault in sqlite_faults(path):
            yield f"The ledger {path} is damaged: {fault}. Restore a backup."


def _other_faults(settings: Settings) -> Iterator[str]:
    index = settings.home / "file_index.sqlite"
    for path in (*sorted(settings.dagster_home.rglob("*.db")), *([index] if index.exists() else [])):
        if path.stat().st_size:
            remedy = "delete it, it is made again" if path == index else "restore a backup"
            for fault in sqlite_faults(path):
                yield f"The database {path} is damaged: {fault}; {remedy}."


def _model_faults(folder: Path) -> Iterator[str]:
    for name in model_names(folder):
        for fault in differences(folder / name):
            yield f"Model {name}: {fault}; remove its folder and add it again."

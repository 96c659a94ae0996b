"""``doc-assets relabel`` and what else makes labels of stored results."""

from collections.abc import Sequence

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import embedder_of
from doc_assets.commands.console import console, progress_bars
from doc_assets.defs.resources import resources_from
from doc_assets.pipeline import relabel as labels
from doc_assets.reports.stored_results import ResultFolders, write_home_files
from doc_assets.search.labels import Labeller
from doc_assets.settings import Settings


def labeller_of(settings: Settings, ledger: Ledger) -> Labeller:
    """Makes labels by the settings in use."""
    defaults = resources_from(settings)["search_defaults"]
    used = ledger.collections.last("in_use")
    model = defaults.model(embedder_of(used.name) if used else None)
    return Labeller(ledger, defaults.request().thresholds, model)


def relabel(settings: Settings, searches: Sequence[str]) -> dict[str, list[str]]:
    """Labels stored results by the thresholds in use and writes the result files that the home has of them.

    Args:
        settings: of the home.
        searches: ids of searches; all if there are none.

    Returns:
        By search, the query documents whose labels are others now.
    """
    tools = resources_from(settings)
    with tools["archive"].open() as archive, tools["reader"].open() as reader, progress_bars():
        labeller = labeller_of(settings, archive.ledger)
        changed = labels.relabel(labeller, searches or archive.ledger.searches.ids())
        folders, left_out = ResultFolders(settings.results_dir), settings.remove_columns_from_results
        write_home_files(archive, reader, folders, changed, left_out)
    return changed


def print_relabelled(settings: Settings, changed: dict[str, list[str]]) -> None:
    """What relabelling came to."""
    documents = sum(len(names) for names in changed.values())
    console().print(
        f"{len(changed)} searches are labelled: a pair matches from {settings.match_probability:g}, a document is "
        f"flagged from {settings.flag_risk:g} on. The labels of {documents} documents are others now."
    )

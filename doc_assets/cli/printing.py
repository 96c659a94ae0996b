"""What more than one command prints."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from doc_assets.cli.console import console, show_table

if TYPE_CHECKING:
    from doc_assets.archive.ledger.groups import GroupMember
    from doc_assets.sources.sources import KeyProblem

_MAX_LISTED = 50


def print_date_faults(faults: Sequence[str], total: int | None = None) -> None:
    """Rows whose date cannot be used, at least the first of ``total``."""
    if not faults:
        return
    n_faults = total or len(faults)
    console().print(f"{n_faults} dates cannot be used; these documents are dated by their names or arrivals:")
    for fault in islice(faults, _MAX_LISTED):
        console().print(f"  {fault}")
    if n_faults > _MAX_LISTED:
        console().print(f"  ... and {n_faults - _MAX_LISTED} more.")


def print_key_problems(problems: "Sequence[KeyProblem]") -> None:
    """Keys that gave no document, and paths that could not be looked into."""
    if not problems:
        return
    rows = (
        (problem.row.key, problem.row.line if problem.is_of_table else None, problem.state, problem.reason)
        for problem in islice(problems, _MAX_LISTED)
    )
    show_table(("key or path", "line", "state", "reason"), rows)
    if len(problems) > _MAX_LISTED:
        console().print(f"... and {len(problems) - _MAX_LISTED} more; `doc-assets resolve-keys --manifest` lists all.")


def print_members(members: "Sequence[GroupMember]", title: str | None = None) -> None:
    """Photos of groups as a table, by group; the first use stands first."""
    columns = ("group", "date", "known by", "document", "merchant", "photo")
    rows = (
        (
            each.group_id,
            each.document_date,
            each.date_source,
            each.document,
            each.merchant_id,
            "the file" if each.photo is None else each.photo + 1,
        )
        for each in members
    )
    show_table(columns, rows, title)

"""``groups``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import show_place, show_table
from doc_assets.cli.printing import print_members
from doc_assets.cli.shell import AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.archive.ledger.groups import GroupMember, GroupSummary
    from doc_assets.settings import Settings


@app.command(rich_help_panel="Documents")
def groups(
    group: Annotated[int | None, typer.Argument(help="Number of one group: list its photos.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List photos that several documents show, those of most merchants first; or the documents of one group."""
    with command() as settings:
        from doc_assets.archive.ledger.ledger import Ledger

        if group is not None:
            members = _members(settings, group)
            say(members, lambda: print_members(members), as_json=as_json)
            return
        with Ledger.open(settings.ledger_address) as ledger:
            total, found = ledger.groups.page(limit, offset)
        page = {"total": total, "offset": offset, "groups": found}
        say(page, lambda: _print_groups(found, offset, total), as_json=as_json)


def _members(settings: "Settings", group_id: int) -> "list[GroupMember]":
    """The photos of a group, the earliest document first."""
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.errors import InputError

    with Ledger.open(settings.ledger_address) as ledger:
        members = ledger.groups.members([group_id])
    if not members:
        raise InputError(f"There is no photo group {group_id}. `doc-assets groups` lists them.")
    return members


def _print_groups(groups: "Sequence[GroupSummary]", offset: int, total: int) -> None:
    rows = ((each.group_id, each.n_merchants, each.n_documents, each.n_photos, each.first_date) for each in groups)
    show_table(("group", "merchants", "documents", "photos", "first use"), rows)
    show_place(offset, len(groups), total)

"""``doc-assets groups``: photos that several documents show."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from doc_assets.archive.ledger.groups import GroupMember, GroupSummary
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.commands.console import console
from doc_assets.errors import InputError
from doc_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some of the photo groups, those of most merchants first."""

    total: int
    offset: int
    groups: list[GroupSummary]


def list_groups(settings: Settings, limit: int, offset: int) -> GroupPage:
    """Groups of photos that more than one document shows."""
    with Ledger.open(settings.ledger_address) as ledger:
        total, groups = ledger.groups.page(limit, offset)
    return GroupPage(total, offset, groups)


def group_members(settings: Settings, group_id: int) -> list[GroupMember]:
    """The photos of a group, the earliest document first.

    Raises:
        InputError: if there is no such group.
    """
    with Ledger.open(settings.ledger_address) as ledger:
        members = ledger.groups.members([group_id])
    if not members:
        raise InputError(f"There is no photo group {group_id}. `doc-assets groups` lists them.")
    return members


def print_groups(page: GroupPage) -> None:
    """The groups as a table."""
    table = Table("group", "merchants", "documents", "photos", "first use")
    for group in page.groups:
        table.add_row(
            str(group.group_id),
            str(group.n_merchants),
            str(group.n_documents),
            str(group.n_photos),
            "" if group.first_date is None else group.first_date.isoformat(),
        )
    console().print(table)
    console().print(f"{page.offset + 1 if page.groups else 0} to {page.offset + len(page.groups)} of {page.total}")


def print_members(members: Sequence[GroupMember], title: str | None = None) -> None:
    """Photos of groups as a table, by group; the first use stands first."""
    table = Table("group", "date", "known by", "document", "merchant", "photo", title=title)
    for member in members:
        table.add_row(
            str(member.group_id),
            member.document_date.isoformat(),
            member.date_source,
            member.document,
            member.merchant_id or "",
            "the file" if member.photo is None else str(member.photo + 1),
        )
    console().print(table)

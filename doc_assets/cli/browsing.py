"""Commands that look at single documents."""

from typing import Annotated

import typer

from doc_assets.cli.shell import AsJson, app, command, say
from doc_assets.faults import DocumentState
from doc_assets.sources.merchants import merchant_id


@app.command(rich_help_panel="Documents")
def list_documents(
    state: Annotated[DocumentState | None, typer.Option(help="Only arrivals in this state.")] = None,
    drop: Annotated[str | None, typer.Option(help="Only of this drop.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Only of this merchant.")] = None,
    current: Annotated[bool, typer.Option("--current", help="Only what is in the archive now.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List documents as they arrived, each arrival with its state."""
    from doc_assets.archive.ledger.browsing import DocumentFilter
    from doc_assets.commands import browse

    wanted = DocumentFilter(state.value if state else None, drop, merchant_id(merchant) or merchant, current)
    with command() as settings:
        page = browse.list_documents(settings, wanted, limit, offset)
        say(browse.as_json(page), lambda: browse.print_documents(page), as_json=as_json)


@app.command(rich_help_panel="Documents")
def show(
    document: Annotated[str, typer.Argument(help="Its id, or its file name.")],
    as_json: AsJson = False,
) -> None:
    """Show everything known of a document: arrivals, photos, files, and the results that name it."""
    from doc_assets.commands import browse

    with command() as settings:
        story = browse.document_story(settings, document)
        say(browse.as_json(story), lambda: browse.print_story(story), as_json=as_json)


@app.command(rich_help_panel="Documents")
def groups(
    group: Annotated[int | None, typer.Argument(help="Number of one group: list its photos.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List photos that several documents show, those of most merchants first; or the documents of one group."""
    from doc_assets.commands import browse
    from doc_assets.commands import groups as commands

    with command() as settings:
        if group is not None:
            members = commands.group_members(settings, group)
            say(browse.as_json(members), lambda: commands.print_members(members), as_json=as_json)
            return
        page = commands.list_groups(settings, limit, offset)
        say(browse.as_json(page), lambda: commands.print_groups(page), as_json=as_json)


@app.command(rich_help_panel="Documents")
def form_pictures(
    confirm: Annotated[int | None, typer.Option(metavar="ID", help="Take this picture for the form's.")] = None,
    undo: Annotated[int | None, typer.Option(metavar="ID", help="Do not take it for the form's any longer.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List pictures that forms print (codes, maps, logos), candidates first; confirm or undo one."""
    from doc_assets.commands import browse
    from doc_assets.commands import form_pictures as commands

    if confirm is not None and undo is not None:
        raise typer.BadParameter("Confirm one picture or undo one, not both in one command.")
    with command() as settings:
        if confirm is not None:
            decided = commands.decide(settings, confirm, "confirmed")
        elif undo is not None:
            decided = commands.decide(settings, undo, "undone")
        else:
            page = commands.list_pictures(settings, limit, offset)
            say(browse.as_json(page), lambda: commands.print_pictures(page), as_json=as_json)
            return
        say(browse.as_json(decided), lambda: commands.print_decided(decided), as_json=as_json)

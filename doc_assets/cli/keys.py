"""Commands about key tables."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, SearchRoots, app, command, say


@app.command(rich_help_panel="Documents")
def resolve_keys(
    key_table: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Key table (.xlsx, .csv, .tsv, .json, .ndjson).")
    ],
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    manifest: Annotated[Path | None, typer.Option(dir_okay=False, help="Write every key with its files there.")] = None,
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="List every archive folder again, changed or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which files the keys of a table name, without reading any; exit 1 if a key has none or two answers."""
    from doc_assets.commands.resolve import print_resolved
    from doc_assets.commands.resolve import resolve_keys as resolve

    with command() as settings:
        report = resolve(settings, key_table, search_root, manifest, rebuild_index=rebuild_index)
        say(asdict(report), lambda: print_resolved(report, key_table), as_json=as_json)
        if not report.clean:
            raise typer.Exit(FAILED)

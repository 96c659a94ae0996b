"""Commands about key tables."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, SearchRoots, app, command


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
        if as_json:
            typer.echo(json.dumps(asdict(report), ensure_ascii=False, indent=1))
        else:
            print_resolved(report, key_table)
        if not report.clean:
            raise typer.Exit(FAILED)

"""``serve-images`` and ``serve-metrics``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import SearchRoots, absolute, app, command


@app.command(rich_help_panel="Documents")
def serve_images(
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    key_table: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Key table whose columns the answers show. Default: DOC_ASSETS_KEY_TABLE."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address; another than this machine's own needs an API key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 5001,
    save_folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, writable=True, help="Keep the copies that clients ask for there."),
    ] = None,
) -> None:
    """Serve documents by key over HTTP (the document API), from archive folders that are only read."""

    def ready(address: str) -> None:
        typer.echo(f"Documents are served on {address}/images?filename=KEY (Ctrl+C ends).")

    with command() as settings:
        from doc_assets.ops.image_server.app import serve_images as serve
        from doc_assets.runtime import Runtime

        rules = Runtime(settings).source_rules
        rules = replace(rules, key_table=absolute(key_table) or rules.key_table)
        serve(settings, rules, host, port, tuple(search_root), absolute(save_folder), ready)


@app.command(rich_help_panel="Operation")
def serve_metrics(
    host: Annotated[
        str, typer.Option(help="Address. There is no login; let only those reach it who watch.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 9464,
) -> None:
    """Serve metrics of archive, runs, daemons and disks for Prometheus, without the name of any document."""

    def ready(address: str) -> None:
        typer.echo(f"Metrics are served on {address} (Ctrl+C ends).")

    with command() as settings:
        from doc_assets.cli.instance_metrics import InstanceMetrics
        from doc_assets.ops.metrics.service import serve_metrics as serve

        instance = InstanceMetrics(settings)
        serve(settings, instance.families, instance.embedded_counts, host, port, ready)

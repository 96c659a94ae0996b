"""Commands to begin with: the demo and the web UI."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, app, command
from doc_assets.ops.home import WORKSPACE_FILE, claim_daemon


@app.command(rich_help_panel="Start")
def demo(
    folder: Annotated[Path | None, typer.Option(file_okay=False, help="Default: demo/ in the home.")] = None,
) -> None:
    """Draw documents with known re-use, ingest them, search them and compare with the truth."""
    from doc_assets.commands.demo import run_demo

    with command() as settings:
        if not run_demo(settings, folder or settings.home / "demo"):
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Start")
def ui(
    port: Annotated[int, typer.Option(help="Port of the web page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's web UI with sensor and schedules on this home."""
    from doc_assets.cli.launch import open_instance

    with command() as settings:
        with open_instance():
            pass  # its tables are there before Dagster's processes look for them
        log_format = "json" if settings.log_format == "json" else "rich"
        program = Path(sys.executable).with_name("dagster")
        claim_daemon(settings, "doc-assets ui")
        arguments = ["dev", "-w", str(WORKSPACE_FILE), "-p", str(port), "-h", host, "--log-format", log_format]
        os.execv(program, [str(program), *arguments])

"""The operator's commands. Exit codes: 0 done, 1 something failed or was rejected, 2 wrong use or settings."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.errors import DocAssetsError, SetupError
from doc_assets.home import WORKSPACE_FILE, prepare_home
from doc_assets.settings import Settings, load_settings

FAILED, WRONG_USE = 1, 2

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

KeyTable = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Table that says whose documents are: columns 파일명 and 사업자등록번호. Default: DOC_ASSETS_KEY_TABLE.",
    ),
]
Folder = Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with .tif or .tiff documents.")]


def main() -> None:
    """Entry point of ``doc-assets``."""
    app()


@contextmanager
def _command() -> Iterator[Settings]:
    """Settings and home for a command; our errors end it with a message and an exit code, not a traceback."""
    try:
        settings = load_settings()
        prepare_home(settings)
        yield settings
    except SetupError as error:
        _say_error(error)
        raise typer.Exit(WRONG_USE) from error
    except DocAssetsError as error:
        _say_error(error)
        raise typer.Exit(FAILED) from error


def _say_error(error: object) -> None:
    typer.secho(f"doc-assets: {error}", fg=typer.colors.RED, err=True)


@app.command()
def build_image_index(
    folder: Folder,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    force_rebuild: Annotated[
        bool, typer.Option("--force-rebuild", help="Cut, embed and index again what is up to date.")
    ] = False,
) -> None:
    """Ingest a folder into the archive: documents, photos, embeddings, search index."""
    from doc_assets.commands.ingest import ingest_folder

    with _command() as settings:
        if not ingest_folder(settings, folder, key_table, recursive=recursive, force_rebuild=force_rebuild):
            raise typer.Exit(FAILED)


@app.command()
def screen(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every drop.")] = False,
) -> None:
    """Compare the documents of drops with the whole archive as it is now, and write their reports."""
    from doc_assets.commands.screen import screen_drops

    with _command() as settings:
        if not screen_drops(settings, drop or [], everything=everything):
            raise typer.Exit(FAILED)


@app.command()
def search_doc(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where the results are written.")],
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of query documents.")
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A query document; may be repeated.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    top_k: Annotated[int, typer.Option(min=1, help="Nearest archive photos a query photo.")] = 10,
    top_doc: Annotated[int, typer.Option(min=1, help="Documents reported a query document.")] = 7,
    aggregation_strategy: Annotated[str, typer.Option(help="max, sum or mean.")] = "max",
    include_batch: Annotated[bool, typer.Option(help="Compare the query documents with each other too.")] = True,
    use_words: Annotated[bool, typer.Option("--words/--no-words", help="Look by visual words too.")] = True,
    verify: Annotated[bool, typer.Option(help="Compare the keypoints of candidates.")] = True,
    privacy_mode: Annotated[bool, typer.Option(help="Keep no pixel of the query documents.")] = True,
) -> None:
    """Search the archive for the photos of query documents."""
    from doc_assets.commands.search import search_folder

    if aggregation_strategy not in {"max", "sum", "mean"}:
        raise typer.BadParameter("must be max, sum or mean", param_hint="--aggregation-strategy")
    if folder is None and not file:
        raise typer.BadParameter("name a --folder or at least one --file")
    config = {
        "folder": str(folder.absolute()) if folder else "",
        "files": [str(path.absolute()) for path in file or []],
        "recursive": recursive,
        "key_table": str(key_table.absolute()) if key_table else "",
        "output_folder": str(output_folder.absolute()),
        "top_k": top_k,
        "top_doc": top_doc,
        "aggregation_strategy": aggregation_strategy,
        "include_batch": include_batch,
        "use_words": use_words,
        "verify": verify,
        "privacy_mode": privacy_mode,
    }
    with _command() as settings:
        if not search_folder(settings, config):
            raise typer.Exit(FAILED)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what is in the archive."""
    from doc_assets.commands.status import archive_status, print_status

    with _command() as settings:
        found = archive_status(settings)
        if as_json:
            typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1))
        else:
            print_status(settings, found)


@app.command()
def check(
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every staged document and compare its digest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare ledger, staged documents, Parquet and collection; exit 1 and a list if they disagree."""
    from doc_assets.commands.status import check_home, print_findings

    with _command() as settings:
        findings = check_home(settings, read_data=read_data)
        if as_json:
            typer.echo(json.dumps(asdict(findings), ensure_ascii=False, indent=1))
        else:
            print_findings(findings)
        if findings.n_faults:
            raise typer.Exit(FAILED)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the web page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's web UI with sensor and schedules on this home."""
    from doc_assets.commands.launch import open_instance

    with _command():
        with open_instance():
            pass  # its tables are there before Dagster's processes look for them
        program = Path(sys.executable).with_name("dagster")
        arguments = ["dev", "-w", str(WORKSPACE_FILE), "-p", str(port), "-h", host]
        os.execv(program, [str(program), *arguments])


@app.command()
def fit_embedder(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where gist.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=300, help="Pictures drawn to learn from.")] = 2400,
) -> None:
    """Fit the built-in embedder's weights on drawn pictures."""
    from doc_assets.commands.fit import fit

    with _command():
        fit(output_folder, pictures)


@app.command()
def fit_words(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where words.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1200,
) -> None:
    """Fit the codebook of visual words on drawn pictures."""
    from doc_assets.commands.fit import fit_codebook

    with _command():
        fit_codebook(output_folder, pictures)


@app.command()
def fit_probability(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where probability.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1000,
) -> None:
    """Fit the probability that a photo pair is the same shot on drawn pictures."""
    from doc_assets.commands.fit import fit_pairs

    with _command() as settings:
        fit_pairs(settings, output_folder, pictures)


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Option(file_okay=False, help="Default: demo/ in the home.")] = None,
) -> None:
    """Draw documents with known re-use, ingest them, search them and compare with the truth."""
    from doc_assets.commands.demo import run_demo

    with _command() as settings:
        if not run_demo(settings, folder or settings.home / "demo"):
            raise typer.Exit(FAILED)

"""``search-doc``."""

from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, KeyTable, app, command


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
    with command() as settings:
        if not search_folder(settings, config):
            raise typer.Exit(FAILED)

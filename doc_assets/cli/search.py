"""``search-doc``."""

from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, ApiUrl, Folder, KeyTable, SearchRoots, absolute, app, command


@app.command(rich_help_panel="Archive")
def search_doc(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where the results are written.")],
    folder: Folder = None,
    file: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A query document; may be repeated.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    top_k: Annotated[int, typer.Option(min=1, help="Nearest archive photos a query photo.")] = 10,
    top_doc: Annotated[int, typer.Option(min=1, help="Documents reported a query document.")] = 7,
    aggregation_strategy: Annotated[str, typer.Option(help="max, sum or mean.")] = "max",
    include_batch: Annotated[bool, typer.Option(help="Compare the query documents with each other too.")] = True,
    use_words: Annotated[bool, typer.Option("--words/--no-words", help="Look by visual words too.")] = True,
    exclude_own_merchant: Annotated[
        bool, typer.Option("--exclude-own-merchant", help="Leave documents of the query's own merchant out.")
    ] = False,
    verify: Annotated[bool, typer.Option(help="Compare the keypoints of candidates.")] = True,
    privacy_mode: Annotated[bool, typer.Option(help="Keep no pixel of the query documents.")] = True,
) -> None:
    """Search the archive for the photos of query documents."""
    from doc_assets.commands.search import search_folder

    if aggregation_strategy not in {"max", "sum", "mean"}:
        raise typer.BadParameter("must be max, sum or mean", param_hint="--aggregation-strategy")
    if folder is None and not file and key_table is None:
        raise typer.BadParameter("name a --folder, a --file or a --key-table")
    config = {
        "folder": folder or "",
        "files": [str(path.absolute()) for path in file or []],
        "recursive": recursive,
        "key_table": str(absolute(key_table) or ""),
        "search_roots": list(search_root),
        "api_url": api_url,
        "output_folder": str(output_folder.absolute()),
        "top_k": top_k,
        "top_doc": top_doc,
        "aggregation_strategy": aggregation_strategy,
        "include_batch": include_batch,
        "use_words": use_words,
        "exclude_own_merchant": exclude_own_merchant,
        "verify": verify,
        "privacy_mode": privacy_mode,
    }
    with command() as settings:
        if not search_folder(settings, config):
            raise typer.Exit(FAILED)

"""What every command shares: the application, common options, and how our errors end a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.errors import DocAssetsError, SetupError
from doc_assets.home import prepare_home
from doc_assets.settings import Settings, load_settings

FAILED, WRONG_USE = 1, 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The operator's commands. Exit codes: 0 done, 1 something failed or was rejected, 2 wrong use or settings.",
    pretty_exceptions_enable=False,
)

KeyTable = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Table that says whose documents are: columns 파일명 and 사업자등록번호. Default: DOC_ASSETS_KEY_TABLE.",
    ),
]
Folder = Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with .tif or .tiff documents.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def command() -> Iterator[Settings]:
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

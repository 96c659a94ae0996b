"""What every command shares: the application, common options, and how our errors end a command."""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup
from typing_extensions import override

from doc_assets.archive.home import require_whole
from doc_assets.errors import BackupError, DocAssetsError, InputError, NoRoomError, SetupError
from doc_assets.ops.home import prepare_home
from doc_assets.ops.logs import log_to_file
from doc_assets.settings import Settings, load_settings
from doc_assets.util.files import no_room
from doc_assets.util.visible import visible, visible_json

FAILED, WRONG_USE = 1, 2


class _Commands(TyperGroup):
    """The commands; our errors end each with a message and an exit code, wherever they are raised."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with _our_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    help="The operator's commands. Exit codes: 0 done, 1 something failed or was rejected, 2 wrong use or settings.",
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"doc-assets {metadata.version('doc_assets')}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


KeyTable = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Key table (.xlsx, .csv, .tsv, .json, .ndjson). Alone it names the documents, to be found below "
        "--search-root or asked of --api-url. With a folder or files it says whose they are.",
    ),
]


def _folder(value: str | None) -> str | None:
    """An existing folder as an absolute path, or a URL of object storage as it is."""
    if value is None or "://" in value:
        return value
    if not Path(value).is_dir():
        raise typer.BadParameter(f"Directory {value!r} does not exist.")
    return str(Path(value).absolute())


def _folders(values: list[str]) -> list[str]:
    return [str(_folder(value)) for value in values]


Folder = Annotated[
    str | None,
    typer.Option(
        callback=_folder,
        metavar="DIRECTORY|URL",
        help="Folder with documents (TIFF, JPEG, PNG, WebP, BMP, PDF), or s3://...",
    ),
]
SearchRoots = Annotated[
    list[str],
    typer.Option(
        "--search-root",
        callback=_folders,
        metavar="DIRECTORY|URL",
        help="Archive folder that keys are looked up in; may be repeated. Default: DOC_ASSETS_SEARCH_ROOTS.",
    ),
]
ApiUrl = Annotated[
    str,
    typer.Option(help="Document API that keys are asked of, http://host/images. Default: DOC_ASSETS_DOCUMENT_API_URL."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(data: object, in_words: Callable[[], None], *, as_json: bool) -> None:
    """Prints ``data`` as JSON if that was asked for, else what ``in_words`` prints.

    Data classes are objects of their fields, days and times are RFC 3339, paths are strings.
    """
    if as_json:
        typer.echo(visible_json(json.dumps(data, ensure_ascii=False, indent=1, default=_plain)))
    else:
        in_words()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON.")


def absolute(path: Path | None) -> Path | None:
    """The same path for a process with another working directory."""
    return path.absolute() if path is not None else None


_log = logging.getLogger(__name__)


@contextmanager
def command(*, of_half_made_home: bool = False) -> Iterator[Settings]:
    """Settings, home and log for a command.

    Args:
        of_half_made_home: whether it may use a home whose restore was interrupted.
    """
    settings = load_settings()
    if not of_half_made_home:
        require_whole(settings.home)
    prepare_home(settings)
    log_to_file(settings)
    with _noted():
        yield settings


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turns our errors, and whatever a full disk causes, into a message and an exit code."""
    try:
        with _room_errors():
            yield
    except SetupError as error:
        _say_error(error)
        raise typer.Exit(WRONG_USE) from error
    except DocAssetsError as error:
        _say_error(error)
        raise typer.Exit(FAILED) from error


@contextmanager
def _room_errors() -> Iterator[None]:
    """A full disk breaks anything anywhere, in libraries too; it is always told in the same words."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        says = no_room(error, _places())
        if says is None:
            raise
        raise NoRoomError(says) from error


def _places() -> list[Path]:
    try:
        settings = load_settings()
    except SetupError:
        return []
    return [settings.home, settings.log_dir, Path(tempfile.gettempdir())]


@contextmanager
def _noted() -> Iterator[None]:
    """Logs that the command began, how it ended, and after how long."""
    context = click.get_current_context(silent=True)
    name = context.command_path if context else "command"
    began = time.monotonic()
    _log.info("%s began", name)
    try:
        yield
    except typer.Exit as ending:
        _log.warning("%s ended with exit code %d after %.1f s", name, ending.exit_code, time.monotonic() - began)
        raise
    except DocAssetsError as error:
        may_name_a_document = isinstance(error, InputError | BackupError)
        says = type(error).__name__ if may_name_a_document else error
        _log.error("%s failed after %.1f s: %s", name, time.monotonic() - began, says)
        raise
    except Exception:
        _log.exception("%s broke after %.1f s", name, time.monotonic() - began)
        raise
    _log.info("%s ended after %.1f s", name, time.monotonic() - began)


def _say_error(error: object) -> None:
    typer.secho(f"doc-assets: {visible(str(error), lines=True)}", fg=typer.colors.RED, err=True)

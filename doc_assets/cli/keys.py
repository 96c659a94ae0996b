"""``keys``: named keys of programs that ask the desk's API."""

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.shell import AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.settings import Settings

keys = typer.Typer(no_args_is_help=True, help="Keys of programs that ask the review desk's API.")
app.add_typer(keys, name="keys", rich_help_panel="Review")

Scopes = Annotated[
    list[str],
    typer.Option("--scope", help="images, cases, results, verdicts, documents or metrics; may be repeated."),
]


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List every key that was ever made: what for, until when, when it was used last. Secrets are kept nowhere."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web.keys.store import all_keys

        found, now = all_keys(), datetime.now(UTC)
        rows = [
            {
                "prefix": key.prefix,
                "name": key.name,
                "scopes": sorted(key.scopes),
                "state": key.state(now),
                "made_at": key.made_at,
                "expires_at": key.expires_at,
                "used_at": key.used_at,
                "revoked_at": key.revoked_at,
            }
            for key in found
        ]

        def in_words() -> None:
            for key in found:
                used = f"last used {key.used_at:%Y-%m-%d %H:%M} UTC" if key.used_at else "never used"
                until = f"{key.state(now)}, until {key.expires_at:%Y-%m-%d}"
                typer.echo(f"{key.prefix} {key.name}: {', '.join(sorted(key.scopes))}; {until}, {used}")
            if not found:
                typer.echo("No key yet. `doc-assets keys add NAME --scope cases` makes one.")

        say(rows, in_words, as_json=as_json)


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Of the program that will use it.")],
    scope: Scopes,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it holds.")] = 365,
) -> None:
    """Make a key and print it, this once; send it as X-API-Key or as a bearer token."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web.keys import store

        key, text = store.add_key(name, scope, days, datetime.now(UTC))
        until = f"{key.expires_at:%Y-%m-%d}"
        _note(settings, "keys.add", key.prefix, name=name, scopes=sorted(key.scopes), until=until)
        typer.echo(text)
        typer.echo(f"{name} may use it until {until} for: {', '.join(sorted(key.scopes))}.", err=True)


@keys.command("revoke")
def revoke_key(which: Annotated[str, typer.Argument(help="Its name, or its prefix.")]) -> None:
    """End a key at once."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web.keys import store

        key = store.revoke_key(which, datetime.now(UTC))
        _note(settings, "keys.revoke", key.prefix, name=key.name)
        typer.echo(f"{key.name} ({key.prefix}) opens nothing any more.")


def _note(settings: "Settings", action: str, prefix: str, **detail: Any) -> None:  # noqa: ANN401 - JSON
    """Files in the audit who made or ended a key."""
    from doc_assets.runtime import Runtime

    by = f"{getpass.getuser()} (command line)"
    with Runtime(settings).archive() as archive:
        archive.ledger.audit.add(by, action, f"key {prefix}", datetime.now(UTC), detail)

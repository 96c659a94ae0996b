"""``serve``, the people of the review desk, and its audit."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, app, command, say
from doc_assets.util.visible import visible

if TYPE_CHECKING:
    from doc_assets.archive.ledger.audit import AuditLedger, Entry, Verified
    from doc_assets.settings import Settings
    from doc_assets.web.search_runs import SearchRuns

people = typer.Typer(no_args_is_help=True, help="People of the review desk, their roles and passwords.")
app.add_typer(people, name="people", rich_help_panel="Review")

Name = Annotated[str, typer.Argument(help="With which they sign in.")]
Roles = Annotated[list[str], typer.Option("--role", help="viewer, reviewer, lead, admin or auditor; may be repeated.")]


@app.command(rich_help_panel="Review")
def serve(
    host: Annotated[str, typer.Option(help="Address; others than this machine's own need a proxy.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
) -> None:
    """Serve the review desk: the queue, two photos beside each other, verdicts by keys."""
    with command() as settings:
        from doc_assets.runtime import Runtime
        from doc_assets.web.server import serve_desk

        runs = _runs_of(settings)

        def ready(address: str, link: str | None) -> None:
            if link is None:
                typer.echo(f"The review desk is at {address} (Ctrl+C ends).")
            else:
                typer.echo(f"The review desk: {address}{link} (opens once, for you; Ctrl+C ends).")

        serve_desk(Runtime(settings), host, port, ready, runs)


def _runs_of(settings: "Settings") -> "SearchRuns":
    """Where the desk's searches run: in the deployment's Dagster if its address is known, else on this machine."""
    if settings.dagster_url:
        from doc_assets.web.dagster_runs import DagsterRuns

        return DagsterRuns(settings.dagster_url)
    from doc_assets.web.search_runs import LocalRuns

    return LocalRuns([sys.executable, "-m", "doc_assets.cli.desk_run"])


@people.command("list")
def list_people(as_json: AsJson = False) -> None:
    """List everybody with roles, last sign-in and second factor."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web.accounts import people as everybody

        found = everybody()

        def in_words() -> None:
            for person in found:
                factor = "second factor" if person.has_second_factor else "password only"
                seen = f"last seen {person.last_login:%Y-%m-%d}" if person.last_login else "never signed in"
                state = "" if person.is_active else ", disabled"
                typer.echo(f"{person.name}: {', '.join(person.roles) or 'no role'}; {factor}, {seen}{state}")
            if not found:
                typer.echo("Nobody yet. `doc-assets people add NAME --role reviewer` adds somebody.")

        say(found, in_words, as_json=as_json)


@people.command("add")
def add_person(name: Name, role: Roles = ["reviewer"]) -> None:  # noqa: B006 - Typer wants the default here
    """Add somebody; asks for a first password."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web import accounts

        accounts.add_person(name, role, _asked_password())
        _note(settings, "people.add", name, roles=role)
        typer.echo(f"{name} may sign in as {', '.join(role)}.")


@people.command("set-password")
def set_password(name: Name) -> None:
    """Give somebody another password; their sessions end."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web import accounts

        accounts.set_password(name, _asked_password())
        _note(settings, "people.set_password", name)
        typer.echo(f"{name} has a new password; sessions opened with the old one have ended.")


@people.command("set-roles")
def set_roles(name: Name, role: Roles) -> None:
    """Give somebody these roles and no others."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web import accounts

        before = next((list(each.roles) for each in accounts.people() if each.name == name), [])
        accounts.set_roles(name, role)
        _note(settings, "people.set_roles", name, before=before, after=role)
        typer.echo(f"{name}: {', '.join(role)}.")


@people.command("disable")
def disable(name: Name, enable: Annotated[bool, typer.Option("--enable", help="Let them in again.")] = False) -> None:
    """Let somebody sign in no more; open sessions end at once."""
    with command() as settings:
        from doc_assets.web.server import open_accounts

        open_accounts(settings)
        from doc_assets.web import accounts

        accounts.set_active(name, is_active=enable)
        _note(settings, "people.enable" if enable else "people.disable", name)
        typer.echo(f"{name} may sign in again." if enable else f"{name} may sign in no more.")


@app.command(rich_help_panel="Review")
def audit(
    verify: Annotated[bool, typer.Option("--verify", help="Look whether every row fits the one before it.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows to print.")] = 20,
    backup: Annotated[
        Path | None,
        typer.Option(help="With --verify: a backup, or a folder of backups. Default: DOC_ASSETS_BACKUP_DIR."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print who did what in the review desk, the newest first, or verify that nothing of it was changed.

    Rows that were cut off at the end are known by the newest backup alone.
    """
    with command() as settings:
        from doc_assets.runtime import Runtime

        with Runtime(settings).archive() as archive:
            if not verify:
                rows = archive.ledger.audit.page(limit)
                say(rows, lambda: _print_entries(rows), as_json=as_json)
                return
            whole = archive.ledger.audit.verify()
            lost = _lost(archive.ledger.audit, backup or settings.backup_dir, required=backup is not None)
        found = {**asdict(whole), "lost": lost}
        say(found, lambda: _print_verified(whole, lost), as_json=as_json)
        if whole.broken is not None or lost is not None:
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Review")
def verify_package(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Case package that the desk exported.")],
    as_json: AsJson = False,
) -> None:
    """Read a case package to its last byte; exit 1 and its first fault if anything in it was changed.

    Works on any machine and needs no home. The digest of the manifest stands in the audit's row of the export.
    """
    from doc_assets.reports.case_package import verify_package as verify
    from doc_assets.settings import load_settings

    load_settings()  # a misspelt one is told by every command
    found = verify(file)
    kind = "without documents, faces pixelated" if found.is_redacted else "with documents, faces as they are"
    in_words = (
        f"Whole: case {found.case}, {found.members} members, {found.size_bytes:,} bytes, {kind}; exported by "
        f"{visible(found.exported_by)} at {visible(found.exported_at)}.\n"
        f"SHA-256 of the manifest: {found.manifest_sha256}"
    )
    say(found, lambda: typer.echo(in_words), as_json=as_json)


def _lost(audit: "AuditLedger", backups: Path | None, *, required: bool) -> str | None:
    """What the audit lacks of that of the newest backup there; None if nothing, or if there is none to compare with."""
    from doc_assets.errors import BackupError
    from doc_assets.ops.backup.manifest import find_backup, read_manifest
    from doc_assets.ops.backup.verify import lost_audit

    if backups is None:
        return None
    try:
        return lost_audit(audit, read_manifest(find_backup(backups.absolute())))
    except BackupError:
        if required:
            raise
        return None


def _print_verified(whole: "Verified", lost: str | None) -> None:
    if whole.broken is not None:
        says = f"Entry {whole.broken} does not fit the one before it: it was changed, or rows are missing."
        typer.echo(f"{says} Compare with a backup.", err=True)
    elif lost is None:
        typer.echo(f"{whole.entries} entries fit; the last digest is {whole.last_digest}.")
    if lost is not None:
        typer.echo(lost, err=True)


def _print_entries(rows: "Sequence[Entry]") -> None:
    for entry in rows:
        detail = ", ".join(f"{name}={value}" for name, value in entry.detail.items())
        typer.echo(
            f"{entry.number} {entry.at:%Y-%m-%d %H:%M:%S} {entry.person} {entry.action} {entry.subject} {detail}"
        )


def _note(settings: "Settings", action: str, name: str, **detail: list[str]) -> None:
    """Files in the audit who changed what of a person; nobody of the desk can be called like an account here."""
    import getpass
    from datetime import UTC, datetime

    from doc_assets.runtime import Runtime

    by = f"{getpass.getuser()} (command line)"
    with Runtime(settings).archive() as archive:
        archive.ledger.audit.add(by, action, f"person {name}", datetime.now(UTC), detail)


def _asked_password() -> str:
    """A password typed twice, or the first two lines of standard input where nobody types."""
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))

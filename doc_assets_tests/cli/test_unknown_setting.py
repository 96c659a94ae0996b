"""An unknown setting ends every command with a sentence and exit code 2, whatever the command imports first."""

from importlib import metadata

import click
import pytest
import typer
from typer.testing import CliRunner

from doc_assets.cli import app


def _commands(group, *names):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))
ALSO = {
    ("search-doc",): ["--folder", "."],
    ("search",): ["--folder", "."],
    ("extract-photos",): ["--folder", "."],
    ("show",): ["x"],
}


def _needed(command, tmp_path):
    """The least arguments that a command takes."""
    for param in command.params:
        if not param.required:
            continue
        value = "x"
        if isinstance(param.type, click.Path) and param.type.exists:
            value = str(tmp_path / ("file" if param.type.file_okay else "folder"))
        if isinstance(param, click.Option):
            yield param.opts[0]
        yield value


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_an_unknown_setting_gives_a_sentence_and_exit_code_2(names, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("파일명\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOC_ASSETS_COLOUR", "red")

    done = CliRunner().invoke(app, [*names, *_needed(COMMANDS[names], tmp_path), *ALSO.get(names, [])])

    said = " ".join(done.output.split())
    assert "Unknown setting DOC_ASSETS_COLOUR" in said, repr(done.exception)
    assert ".env.example" in said
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)


def test_the_version_is_said_whatever_the_settings_are(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_COLOUR", "red")

    done = CliRunner().invoke(app, ["--version"])

    assert (done.exit_code, done.output) == (0, f"doc-assets {metadata.version('doc_assets')}\n")

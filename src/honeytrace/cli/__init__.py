"""The command line: the extra `honeytrace[cli]`. docs/cli.md is its manual.

_terminal   printing: plain in a pipe, bounded, harmless; _screen is where, _line a styled line
_options    options that commands share
_target     the store, and the session that `@last` or the beginning of an id names
_list       list, search; _tail tail; _rows prints the sessions of all three
_recent     #1, #2, …: the sessions of the last list
_ps         ps
_postmortem postmortem
_page       HTML files
_evidence   evidence; _mcp mcp; _desk opens the store for both
_setup      setup, for coding agents; _json_edit and _toml_edit their configurations
_show       show; _timeline draws the tree with its bars, _values draws inputs and outputs
_diff       diff
_replay     replay; _replay_set many of them; _case case, check
_blame      blame
_stats      stats; _grouped its figures by any field; _usage tokens and cost
_files      export and import; _formats writes CSV and Parquet, _jsonl reads JSON Lines
_foreign    files of other programs that import reads
_push       push
_recover    recover, refused
_damaged    damaged: files that could not be read in full
_prune      prune
_store      store migrate, check and copy
_mark       the place up to which a store was read, for push and store copy
_deliver    delivery with patience, for push, recover and refused
_serve      serve, ui
_completion completion
_doctor     doctor; _check_api asks the API
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

try:
    import click
    import rich as _rich  # noqa: F401 - only to report at once that it is missing
except ImportError as _missing:
    raise ImportError(
        f'the command line needs {_missing.name}: pip install "honeytrace[cli]"',
        name=_missing.name,
    ) from _missing

from ..errors import HoneytraceError

__all__ = ["app"]

_INTERRUPTED, _NO_READER = 130, 141
"""Exit statuses of a program that SIGINT or SIGPIPE ended, as a shell counts them."""

_COMMANDS = {
    "list": "_list:list_",
    "show": "_show:show",
    "ps": "_ps:ps",
    "postmortem": "_postmortem:postmortem_",
    "search": "_list:search",
    "tail": "_tail:tail",
    "diff": "_diff:diff",
    "replay": "_replay:replay",
    "case": "_case:case",
    "check": "_case:check",
    "blame": "_blame:blame_",
    "stats": "_stats:stats",
    "export": "_files:export",
    "import": "_files:import_",
    "push": "_push:push",
    "recover": "_recover:recover",
    "refused": "_recover:refused",
    "damaged": "_damaged:damaged",
    "prune": "_prune:prune",
    "serve": "_serve:serve",
    "ui": "_serve:ui",
    "store": "_store:store",
    "evidence": "_evidence:evidence",
    "mcp": "_mcp:mcp",
    "setup": "_setup:setup",
    "doctor": "_doctor:doctor",
    "completion": "_completion:completion",
}
"""Command → its module and name. A module is imported when its command runs: all of them together
take a tenth of a second."""


class _Commands(click.Group):
    """The commands, imported on use. An error ends a command with one line that names the cure."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f".{module}", __name__), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List every command with the whole first sentence of its help."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            text = " ".join(((command and command.help) or "").split("\n\n")[0].split())
            rows.append((name, text.partition(". ")[0].removesuffix(".")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        from ._terminal import say, tolerate

        tolerate()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # so that the interpreter's own flush at exit has somewhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(_NO_READER) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except (HoneytraceError, ImportError, OSError) as error:
            for line in f"honeytrace: {_told(error)}".splitlines():
                say(line)
            raise click.exceptions.Exit(1) from None
        return result


def _told(error: Exception) -> str:
    """Return an error's text; the API's errors have other cures here than in the client."""
    api = sys.modules.get("honeytrace.api")
    if api is None or not isinstance(error, api.APIError):
        return str(error)
    from ._check_api import said
    from ._target import address, config

    return said(error, address(config(None)))


def _version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        from .._base.version import __version__

        click.echo(f"honeytrace {__version__}")
        ctx.exit()


@click.command(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog="A session is named by its id, the beginning of it, #3 for the third of the last list,"
    " @last, @last~1 or @last-error.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def app(ctx: click.Context) -> None:
    """See what your LLM application did, call by call."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

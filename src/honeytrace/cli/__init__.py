"""The command line: the extra `honeytrace[cli]`. docs/cli.md is its manual.

_terminal   how things are printed: plain in a pipe, bounded, harmless
_options    options that commands share
_target     the store, and what `@last` or the beginning of an id means
_list       list, search, tail
_show       show; _timeline draws the tree with its bars, _values what went in and came out
_diff       diff
_stats      stats
_files      export and import; _formats writes CSV and Parquet, _jsonl reads JSON Lines
_push       push
_recover    recover, refused
_prune      prune
_deliver    delivery with patience, for push, recover and refused
_serve      serve, ui
_doctor     doctor; _check_api asks the API
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

try:
    import rich as _rich  # noqa: F401 - only to say at once what is missing
    import typer
    from typer.core import TyperGroup
except ImportError as _missing:
    raise ImportError(
        f'the command line needs {_missing.name}: pip install "honeytrace[cli]"',
        name=_missing.name,
    ) from _missing

from .._version import __version__
from ..errors import HoneytraceError
from . import _diff, _doctor, _files, _list, _prune, _push, _recover, _serve, _show, _stats
from ._target import address, config
from ._terminal import say, tolerate

__all__ = ["app"]

_INTERRUPTED, _NO_READER = 130, 141
"""Exit statuses of a program that SIGINT or SIGPIPE ended, as a shell counts them."""


class _Commands(TyperGroup):
    """How commands end: with one line that names the cure; silently for Ctrl-C and `| head`."""

    def invoke(self, ctx: Any) -> Any:
        tolerate()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # so that the interpreter's own flush at exit has somewhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_NO_READER) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        except (HoneytraceError, ImportError, OSError) as error:
            say(f"honeytrace: {_told(error)}")
            raise typer.Exit(1) from None
        return result


def _told(error: Exception) -> str:
    """An error in the words of the command line, where the API's client has other cures."""
    api = sys.modules.get("honeytrace.api")
    if api is None or not isinstance(error, api.APIError):
        return str(error)
    from ._check_api import said

    return said(error, address(config(None)))


app = typer.Typer(
    name="honeytrace",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A session is named by its id, the beginning of it, or @last, @last~1, @last-error.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"honeytrace {__version__}")
        raise typer.Exit


@app.callback()
def _honeytrace(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See what your LLM application did, call by call."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": _list.list_,
    "show": _show.show,
    "search": _list.search,
    "tail": _list.tail,
    "diff": _diff.diff,
    "stats": _stats.stats,
    "export": _files.export,
    "import": _files.import_,
    "push": _push.push,
    "recover": _recover.recover,
    "refused": _recover.refused,
    "prune": _prune.prune,
    "serve": _serve.serve,
    "ui": _serve.ui,
    "doctor": _doctor.doctor,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)

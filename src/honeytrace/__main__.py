"""The command line; see docs/cli.md. `serve` alone works without the extra `cli`."""

from __future__ import annotations

import sys

from .errors import HoneytraceError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line with these arguments, or the program's; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # before there was a command to end
        return 130


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:  # without the 50 ms that the command line takes to import
        from ._base.version import __version__

        print(f"honeytrace {__version__}")  # noqa: T201
        return 0
    try:
        from .cli import app
    except ImportError as missing:
        if arguments[:1] == ["serve"]:
            return _serve(arguments[1:])
        print(f"honeytrace: {missing}", file=sys.stderr)  # noqa: T201 - the command line's voice
        return 1
    try:
        app(arguments, prog_name="honeytrace", complete_var="_HONEYTRACE_COMPLETE")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _serve(arguments: list[str]) -> int:
    """`serve` as the extra `server` has it by itself."""
    import argparse

    parser = argparse.ArgumentParser(prog="honeytrace serve")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8877, help="0 takes a free one")
    parser.add_argument("--store", default=".honeytrace/sessions.db", help="file or URL")
    options = parser.parse_args(arguments)
    try:
        from .server import run

        keys = run.keys_from_environment()
        run.serve(options.store, host=options.host, port=options.port, keys=keys)
    except (HoneytraceError, ImportError) as error:
        print(f"honeytrace: {error}", file=sys.stderr)  # noqa: T201 - the command line's voice
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

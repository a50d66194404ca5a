"""`python -m honeytrace serve`: the HoneyHive-compatible server over the embedded store."""

from __future__ import annotations

import argparse
import sys

from .errors import HoneytraceError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="honeytrace")
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser(
        "serve",
        help="serve the embedded store to HoneyHive clients",
        epilog="Bearer keys come from HONEYTRACE_SERVER_KEYS, separated by commas.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8877, help="0 takes a free one (%(default)s)")
    serve.add_argument("--store", default=".honeytrace/sessions.db", help="file (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        from .server import run

        keys = run.keys_from_environment()
        run.serve(options.store, host=options.host, port=options.port, keys=keys)
    except (HoneytraceError, ImportError) as error:
        print(f"honeytrace: {error}", file=sys.stderr)  # noqa: T201 - the command line's own voice
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

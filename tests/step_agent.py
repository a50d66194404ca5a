"""A traced agent that opens and ends calls on command: `open NAME`, `close`, one line each.

Prints the id of the run, then `ok` after each command.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

import honeytrace

with honeytrace.session("agent-run", inputs={"question": "which flight?"}) as run:
    print(run.session_id, flush=True)
    calls: list[ExitStack] = []
    for line in sys.stdin:
        command, _, name = line.strip().partition(" ")
        if command == "open":
            stack = ExitStack()
            stack.enter_context(honeytrace.session(name, inputs={"step": name}))
            calls.append(stack)
        elif command == "close":
            calls.pop().close()
        else:
            break
        print("ok", flush=True)

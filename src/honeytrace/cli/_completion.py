"""`completion` prints the script with which a shell completes commands, options and ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    Commands, options, ids, names and statuses are completed. To install it, add the line for your
    shell to its start-up file:

    \b
    bash  eval "$(honeytrace completion bash)"
    zsh   eval "$(honeytrace completion zsh)", after compinit
    fish  honeytrace completion fish | source
    """
    root = click.get_current_context().find_root()
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(root.command, {}, "honeytrace", "_HONEYTRACE_COMPLETE").source())

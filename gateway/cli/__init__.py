"""The `pith` command: a group that imports a subcommand when it is asked for, and not before.

A subcommand that cannot be imported leaves the others working. Exit codes: 0 success, 1 failure, 2 usage;
our own errors are a message on standard error, never a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from compressor.errors import CompressorError
from gateway.errors import GatewayError
from policies.errors import PolicyError

COMMANDS: Mapping[str, str] = {
    "serve": "gateway.cli.serve:serve",
    "compress": "gateway.cli.compress:compress",
    "demo": "gateway.cli.demo:demo",
    "report": "gateway.cli.report:report",
    "policy": "gateway.cli.policy:policy",
    "replay": "gateway.cli.replay:replay",
    "experiment": "gateway.cli.experiment:experiment",
    "keys": "gateway.cli.keys:keys",
    "bench": "gateway.cli.bench:bench",
    "eval": "gateway.cli.eval:eval",
    "train": "gateway.cli.train:train",
}
"""Subcommand to `module:attribute`, in the order `pith --help` lists them."""

OUR_ERRORS = (GatewayError, CompressorError, PolicyError)


class LazyGroup(click.Group):
    """A group over a table of `module:attribute` strings."""

    def __init__(self, name: str, targets: Mapping[str, str], *, help_text: str) -> None:
        super().__init__(name, help=help_text, context_settings={"help_option_names": ["-h", "--help"]})
        self._targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._targets:
            return None
        module, _, attribute = self._targets[cmd_name].partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ImportError as error:
            return _unavailable(cmd_name, error)
        assert isinstance(command, click.Command), f"{module}:{attribute} is no click command"
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OUR_ERRORS as error:
            raise click.ClickException(str(error)) from error


def _unavailable(name: str, error: ImportError) -> click.Command:
    """Stands in for a subcommand whose module or dependency is missing."""

    def refuse(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(f"`pith {name}` is unavailable: {error}; run `make install`")

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        help=f"Unavailable: {error}",
        context_settings={"ignore_unknown_options": True},
    )


main = click.version_option(package_name="pith-gateway", prog_name="pith", message="%(prog)s %(version)s")(
    LazyGroup(
        "pith",
        COMMANDS,
        help_text="Pith: a transparent gateway that compresses long context and reports net savings.",
    )
)

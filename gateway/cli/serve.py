"""`pith serve`: run the gateway, in this process or in several that it looks after."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from socket import socket

import click

from gateway.address import Address
from gateway.cli import OUR_ERRORS
from gateway.config import load as load_config
from gateway.config import open_policies
from gateway.fleet import Alone, SharedFolder
from gateway.logs import configure
from gateway.settings import Config
from gateway.sockets import bound, port_of
from gateway.workers import Ready, Supervisor
from policies.decide import weaker


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; every worker reads the configuration from it anew."""

    path: Path | None
    flags: Mapping[str, object]
    is_shadow: bool

    def read(self) -> Config:
        """The configuration as it is now. Raises ConfigError."""
        return at_most_shadow(load_config(self.path, os.environ, self.flags), self.is_shadow)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; `admin` is None where it is off."""

    main: Address
    admin: Address | None


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration file (YAML).")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 takes any free one.")
@click.option("--upstream", metavar="URL", help="Where requests go, e.g. https://api.openai.com.")
@click.option("--policies", type=click.Path(path_type=Path), help="Policy file (YAML).")
@click.option("--ledger", metavar="URL", help="Where entries go, e.g. sqlite:///pith.db.")
@click.option("--scorer", help="default, frequency, or a token-classification model: folder or hub name.")
@click.option("--workers", type=int, help="Processes that serve the port.")
@click.option("--admin", metavar="HOST:PORT|off", help="Where the admin listener listens.")
@click.option(
    "--shadow", is_flag=True, help="Compress and record, but forward every original: a cautious start."
)
def serve(
    path: Path | None,
    host: str | None,
    port: int | None,
    upstream: str | None,
    policies: Path | None,
    ledger: str | None,
    scorer: str | None,
    workers: int | None,
    admin: str | None,
    shadow: bool,
) -> None:
    """Run the gateway. Flags come before PITH_* variables, those before the configuration file."""
    flags = {
        "listen.host": host,
        "listen.port": port,
        "upstreams.openai.url": upstream,
        "policies": str(policies) if policies else None,
        "ledger": ledger,
        "compressor.scorer": scorer,
        "workers": workers,
        "admin.listen": admin,
    }
    asked = Asked(path, flags, shadow)
    config = asked.read()
    ports = Ports(Address(config.listen.host, config.listen.port), config.admin.address)
    with binding(ports) as (main, operators):
        ports = Ports(replace(ports.main, port=port_of(main)), _bound(ports.admin, operators))
        if config.workers == 1:
            serve_alone(asked, config, ports, (main, operators))
            return
    sys.exit(serve_together(asked, config, ports))


def at_most_shadow(config: Config, is_asked: bool) -> Config:
    """With --shadow nothing is applied; a kill switch thrown in the file still goes further."""
    mode = weaker(config.mode, "shadow") if is_asked else config.mode
    return config.model_copy(update={"mode": mode})


@contextmanager
def binding(ports: Ports, *, is_shared: bool = False) -> Iterator[tuple[list[socket], list[socket]]]:
    """Sockets of the main port and of the admin listener. Raises ConfigError."""
    with ExitStack() as stack:
        main = bound(ports.main, port_setting="--port", host_setting="listen.host", is_shared=is_shared)
        sockets = stack.enter_context(main)
        if ports.admin is None:
            yield sockets, []
            return
        admin = bound(ports.admin, port_setting="--admin", host_setting="admin.listen", is_shared=is_shared)
        yield sockets, stack.enter_context(admin)


def serve_alone(
    asked: Asked, config: Config, ports: Ports, sockets: tuple[list[socket], list[socket]]
) -> None:
    """In this process."""
    from gateway.serving import Place
    from gateway.serving import serve as run

    run(asked.read, Place(*sockets, Alone()), lambda port: _greet(config, ports))


def serve_together(asked: Asked, config: Config, ports: Ports) -> int:
    """In several processes on the same ports; the exit code."""
    configure(sys.stderr, config.log.level)
    open_policies(config)  # what is wrong is said once, not by every worker
    drain_s = config.drain.announce_s + config.drain.limit_s
    with tempfile.TemporaryDirectory(prefix="pith-") as folder, binding(ports, is_shared=True):
        work = partial(serve_as_worker, asked, ports, Path(folder))
        greet = partial(_greet, config, ports)
        return Supervisor(work, config.workers, drain_s=drain_s, on_ready=greet).run()


def serve_as_worker(asked: Asked, ports: Ports, folder: Path, number: int, on_ready: Ready) -> None:
    """In a process of its own, under a supervisor."""
    from gateway.serving import Place
    from gateway.serving import serve as run

    try:
        with binding(ports, is_shared=True) as sockets:
            place = Place(*sockets, SharedFolder(folder, number), number)
            run(asked.read, place, lambda port: on_ready())
    except OUR_ERRORS as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _bound(asked: Address | None, sockets: list[socket]) -> Address | None:
    """The address with the port in use."""
    return replace(asked, port=port_of(sockets)) if asked is not None else None


def _greet(config: Config, ports: Ports) -> None:
    targets = ", ".join(upstream.url for upstream in config.upstreams.values())
    click.echo(f"Pith listens on http://{ports.main} and forwards to {targets} (mode {config.mode})")
    click.echo(f'Point a client at it: OpenAI(base_url="http://{ports.main}/v1")')
    if ports.admin is not None:
        click.echo(f"Metrics and savings are at http://{ports.admin}/metrics and /v1/savings")
    if config.workers > 1 and config.cache is None:
        click.echo(
            f"{config.workers} workers without a shared cache: recorded scores, conversations and decisions "
            "are each worker's own; set cache to redis://…",
            err=True,
        )

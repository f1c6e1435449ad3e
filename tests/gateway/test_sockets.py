"""gateway.sockets: a port is bound before anything is loaded, or the start says what to set instead."""

from __future__ import annotations

import socket
from functools import partial

import pytest

from gateway.address import Address
from gateway.errors import ConfigError
from gateway.sockets import bound, port_of

binding = partial(bound, port_setting="--port", host_setting="listen.host")


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = Address("127.0.0.1", listening.getsockname()[1])
        message = rf"cannot listen on {taken}: Address already in use; stop what .* another with --port"
        with pytest.raises(ConfigError, match=message), binding(taken):
            pass


def test_a_port_that_workers_share_is_in_use_for_others() -> None:
    here = Address("127.0.0.1", 0)
    with binding(here, is_shared=True) as first:
        first[0].listen()
        taken = Address("127.0.0.1", port_of(first))
        with binding(taken, is_shared=True) as second:
            assert port_of(second) == port_of(first)
        with pytest.raises(ConfigError, match="Address already in use"), binding(taken):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_a_host_of_another_machine_is_said(host: str) -> None:
    with (
        pytest.raises(ConfigError, match=rf"cannot listen on {host}:0: .*; listen.host must be an address"),
        binding(Address(host, 0)),
    ):
        pass


def test_all_addresses_of_a_name_have_one_port() -> None:
    with binding(Address("localhost", 0)) as sockets:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        assert {sock.getsockname()[0] for sock in sockets} >= {"127.0.0.1"}


def test_a_port_is_free_again_afterwards() -> None:
    with binding(Address("127.0.0.1", 0)) as sockets:
        again = Address("127.0.0.1", port_of(sockets))
    with binding(again) as sockets:
        assert port_of(sockets) == again.port

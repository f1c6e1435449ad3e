"""gateway.switch: the mode in force follows the configuration, and stays when that cannot be read."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigError
from gateway.switch import KillSwitch
from policies.schema import Mode


class Source:
    """A configuration that a test changes."""

    def __init__(self) -> None:
        self.mode: Mode | ConfigError = "on"

    def __call__(self) -> Mode:
        if isinstance(self.mode, ConfigError):
            raise self.mode
        return self.mode


def state(switch: KillSwitch) -> tuple[Mode, str | None]:
    return switch.mode, switch.problem


def test_the_mode_follows_the_configuration(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    switch = KillSwitch("on", source)
    switch.reload()
    assert (switch.mode, switch.problem, caplog.messages) == ("on", None, [])
    source.mode = "off"
    switch.reload()
    assert (switch.mode, caplog.messages) == ("off", ["mode changed from on to off"])


def test_a_bad_configuration_changes_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    switch = KillSwitch("shadow", source)
    source.mode = ConfigError("pith.yaml:1: not YAML")
    for _ in range(3):
        switch.reload()
    assert state(switch) == ("shadow", "pith.yaml:1: not YAML")
    assert caplog.messages == ["configuration not reloaded, mode stays shadow: pith.yaml:1: not YAML"]
    source.mode = ConfigError("pith.yaml: gone")
    switch.reload()
    assert switch.problem == "pith.yaml: gone"
    source.mode = "on"
    switch.reload()
    assert state(switch) == ("on", None)


def test_a_limit_holds_at_once_and_the_weaker_wins(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    switch = KillSwitch("on", source)
    switch.restrict("off")
    assert (switch.mode, switch.configured, switch.limit) == ("off", "on", "off")
    switch.reload()
    assert state(switch)[0] == "off"
    source.mode = "shadow"
    switch.reload()
    switch.restrict("on")
    assert (state(switch)[0], switch.configured) == ("shadow", "shadow")
    assert caplog.messages == ["mode changed from on to off", "mode changed from off to shadow"]


def test_a_limit_holds_where_the_configuration_cannot_be_read() -> None:
    source = Source()
    switch = KillSwitch("on", source)
    source.mode = ConfigError("pith.yaml:1: not YAML")
    switch.reload()
    switch.restrict("off")
    assert state(switch)[0] == "off"
    switch.reload()
    assert state(switch)[0] == "off"
    switch.restrict("on")
    assert state(switch)[0] == "on"

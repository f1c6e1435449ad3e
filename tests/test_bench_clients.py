"""That the comparison of HTTP clients runs, and that ours keeps what a transparent proxy has to keep."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.bench_clients import AT_ONCE, main
from tests.e2e.clients.adapters import adapters
from tests.e2e.clients.cost import N_SLOTS, lost_slots
from tests.e2e.clients.fidelity import PROBES, fidelity

MAKES, _ = adapters()


async def test_ours_keeps_everything() -> None:
    """The one request it sends again is safe: docs/operations.md says when."""
    found = await fidelity(MAKES["ours"])
    assert found.pop("a GET is sent once, whatever happens") == "sent 2 times"
    assert set(found.values()) == {"yes"}


async def test_ours_loses_no_slot() -> None:
    assert await lost_slots(MAKES["ours"], 300) == 0


async def test_the_probes_can_say_no() -> None:
    others = [name for name in MAKES if name != "ours"]
    answers = [await fidelity(MAKES[name]) for name in others]
    assert {question for answer in answers for question in answer if answer[question] != "yes"} >= {
        "`?` of an empty query: `/x?`",
        "bytes of a target that are not ASCII",
        "dots and slashes: `//a/../b/./`",
        "repeated fields stay apart",
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_measures(as_json: bool) -> None:
    arguments = ["--only", "ours", "--calls", "64", "--runs", "1", "--cancelled", "50"]
    said = CliRunner().invoke(main, [*arguments, *(["--json"] if as_json else [])])
    assert said.exit_code == 0, said.output
    if as_json:
        found = json.loads(said.stdout.splitlines()[-1])
        assert set(found["clients"]["ours"]["fidelity"]) == set(PROBES)
        assert set(found["clients"]["ours"]["calls_s"]) == {str(n) for n in AT_ONCE}
    else:
        assert "| calls/s at 64 |" in said.stdout
        assert f"| slots lost of {N_SLOTS} after 50 cancelled GETs | 0 |" in said.stdout
        assert "load average" in said.stdout

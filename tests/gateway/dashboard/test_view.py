"""gateway.dashboard.view: what an address asks for, and the numbers of the page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.dashboard.view import NAMES, Address, read_address, view
from gateway.overview import DIMENSIONS, Overview, Selection, Sums, Turns


def asked(link: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(link).query, keep_blank_values=True).items()}


def test_an_address_leads_back_to_itself() -> None:
    address = Address("7d", "model", "team", 'a&b="<é>')
    assert read_address(asked(address.link())) == address
    assert read_address({}) == Address()
    assert read_address(asked(address.link(of=None, **{"is": None}))) == Address("7d", "model")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"by": "id"}, "by 'id': use one of policy"),
        ({"of": "<b>", "is": "x"}, "of '<b>': use one of policy"),
        ({"of": "policy"}, "of and is: give both"),
        ({"is": "x"}, "of and is: give both"),
    ],
)
def test_what_is_not_there_is_named(query: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_address(query)


def test_a_selection_is_of_a_time_and_a_group() -> None:
    assert Address("1d").selection(100_000.0) == Selection(13_600.0)
    assert Address("all", of="team", value="a").selection(0.0) == Selection(None, "team", "a")
    with pytest.raises(ValueError, match="'soon' is neither"):
        Address("soon").selection(0.0)


def test_losses_are_marked_and_groups_lead_to_their_requests() -> None:
    loss = Sums("rag", 2, 100, 60, 60, 30, 2.0, -0.5, 1, 1, 2, 1, 2, 1, 30.0, 2)
    page = view(Address(), Overview(groups=[loss], days=[loss], total=loss))
    [row] = page.rows
    assert row.is_loss
    assert page.total.is_loss
    assert asked(row.link or "") == {"since": "30d", "by": "policy", "of": "policy", "is": "rag"}
    cells = dict(row.cells)
    assert (cells["net saved"], cells["removed"], cells["our cache"]) == ("−$0.5000", "40.0 %", "50.0 %")
    assert (cells["provider's"], cells["added"], cells["turns"]) == ("50.0 %", "15.0 ms", "2.0")
    tiles = {tile.name: tile for tile in page.tiles}
    assert tiles["Net saved"].is_loss
    assert tiles["Net saved"].note == "−33.3 % of $1.50; 1 requests without a known price"
    assert tiles["Cost more"].is_loss


def test_of_nothing_nothing_is_claimed() -> None:
    page = view(Address(), Overview())
    assert page.is_empty
    assert {tile.value for tile in page.tiles} == {"$0.0000", "0", "–"}
    assert not any(tile.is_loss for tile in page.tiles)


def test_every_dimension_has_a_name() -> None:
    assert tuple(NAMES) == DIMENSIONS


@pytest.mark.parametrize(
    ("turns", "note"),
    [
        (Turns(), "requests a conversation; none in shadow or off to compare with"),
        (Turns(9, 3), "requests a conversation; none in shadow or off to compare with"),
        (Turns(9, 3, 12, 6), "+50.0 % where policies are applied, against 2.0 in shadow or off"),
        (Turns(9, 3, 20, 5), "−25.0 % where policies are applied, against 4.0 in shadow or off"),
        (Turns(9, 3, 9, 3), "0.0 % where policies are applied, against 3.0 in shadow or off"),
    ],
)
def test_turns_are_compared_with_those_where_nothing_is_applied(turns: Turns, note: str) -> None:
    total = Sums("", 9, turns=9, conversations=4)
    [tile] = [
        tile for tile in view(Address(), Overview(total=total, turns=turns)).tiles if tile.name == "Turns"
    ]
    assert (tile.value, tile.note) == ("2.2", note)

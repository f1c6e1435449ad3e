"""What the dashboard's page says, from its address and the ledger's answer (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from gateway.dashboard.charts import Chart, charts, days_between
from gateway.dashboard.figures import count, decimal, mean, milliseconds, share, signed_percent, usd
from gateway.overview import DIMENSIONS, Overview, Selection, Sums, Turns
from gateway.savings import parse_since
from policies.validate import shown

PERIODS: Final = {"1d": "day", "7d": "week", "30d": "30 days", "90d": "90 days", "all": "all"}
USUAL_PERIOD: Final = "30d"
USUAL_DIMENSION: Final = "policy"
NAMES: Final = {
    "policy": "policy",
    "route": "route",
    "model": "model",
    "team": "team",
    "variant": "variant",
    "mode": "mode",
    "skip": "skip reason",
    "key_id": "key",
    "day": "day",
}
"""What each dimension is called on the page."""


@dataclass(frozen=True, slots=True)
class Address:
    """What the page's address asks for."""

    since: str = USUAL_PERIOD
    by: str = USUAL_DIMENSION
    of: str | None = None
    value: str | None = None

    def link(self, **changes: str | None) -> str:
        """The page with something else asked for; None takes it out."""
        asked = {"since": self.since, "by": self.by, "of": self.of, "is": self.value, **changes}
        return "/?" + urlencode({name: value for name, value in asked.items() if value is not None})

    def selection(self, now: float) -> Selection:
        """For the ledger. Raises ValueError for a time that is none."""
        since = None if self.since == "all" else parse_since(self.since, now)
        return Selection(since, self.of, self.value)


def read_address(query: Mapping[str, str]) -> Address:
    """Raises ValueError, which names what is wrong."""
    of, value = query.get("of"), query.get("is")
    by = query.get("by", USUAL_DIMENSION)
    for name, dimension in (("by", by), ("of", of)):
        if dimension is not None and dimension not in DIMENSIONS:
            raise ValueError(f"{name} {shown(dimension)}: use one of {', '.join(DIMENSIONS)}")
    if (of is None) != (value is None):
        raise ValueError("of and is: give both, or neither")
    return Address(query.get("since", USUAL_PERIOD), by, of, value)


@dataclass(frozen=True, slots=True)
class Tile:
    """One number in front."""

    name: str
    value: str
    note: str
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table of sums."""

    name: str
    link: str | None
    cells: tuple[tuple[str, str], ...]
    """Heading and value."""
    is_loss: bool


@dataclass(frozen=True, slots=True)
class View:
    """The page."""

    address: Address
    overview: Overview
    tiles: tuple[Tile, ...]
    charts: tuple[Chart, ...]
    rows: tuple[Row, ...]
    total: Row
    days: tuple[Row, ...]
    skips: tuple[Row, ...]

    @property
    def is_empty(self) -> bool:
        return self.overview.total.requests == 0


def view(address: Address, overview: Overview) -> View:
    """All that the template writes."""
    days = days_between(overview.days)
    return View(
        address=address,
        overview=overview,
        tiles=(*tiles(overview.total), turns_tile(overview.total, overview.turns)),
        charts=tuple(charts(days)),
        rows=rows(address, address.by, overview.groups),
        total=row("all", overview.total, None),
        days=rows(address, "day", overview.days),
        skips=rows(address, "skip", overview.skips),
    )


def tiles(total: Sums) -> list[Tile]:
    """The numbers in front."""
    would_have = total.cost_usd + total.saved_usd
    unpriced = f"; {count(total.unpriced)} requests without a known price" if total.unpriced else ""
    return [
        Tile(
            "Net saved",
            usd(total.saved_usd),
            f"{share(total.saved_usd, would_have)} of {usd(would_have)}{unpriced}",
            total.saved_usd < 0,
        ),
        Tile(
            "Tokens removed",
            count(total.removed_tokens),
            f"{share(total.removed_tokens, total.origin_tokens)} of {count(total.origin_tokens)}",
            total.removed_tokens < 0,
        ),
        Tile(
            "Our cache",
            share(total.hits, total.lookups),
            f"{count(total.hits)} of {count(total.lookups)} look-ups had all on record",
        ),
        Tile(
            "Provider's cache",
            share(total.cached_tokens, total.prompt_tokens),
            f"{count(total.cached_tokens)} of {count(total.prompt_tokens)} tokens read from it",
        ),
        Tile(
            "Latency added",
            milliseconds(mean(total.added_ms, total.timed)),
            f"mean of {count(total.timed)} requests",
        ),
        Tile(
            "Cost more",
            count(total.negative),
            f"of {count(total.requests)} requests: more than uncompressed",
            total.negative > 0,
        ),
    ]


def turns_tile(total: Sums, turns: Turns) -> Tile:
    """How long conversations are, and whether they are longer where policies are applied."""
    value = decimal(mean(total.turns, total.conversations))
    if turns.inflation is None or turns.untouched_mean is None:
        return Tile("Turns", value, "requests a conversation; none in shadow or off to compare with")
    compared = f"{signed_percent(turns.inflation)} where policies are applied"
    return Tile("Turns", value, f"{compared}, against {decimal(turns.untouched_mean)} in shadow or off")


def rows(address: Address, dimension: str, groups: Sequence[Sums]) -> tuple[Row, ...]:
    """Each leads to its own requests."""
    return tuple(
        row(group.group, group, address.link(of=dimension, **{"is": group.group})) for group in groups
    )


def row(name: str, sums: Sums, link: str | None) -> Row:
    """The columns of all tables of sums."""
    per_conversation = mean(sums.turns, sums.conversations)
    cells = (
        ("requests", count(sums.requests)),
        ("before", count(sums.origin_tokens)),
        ("sent", count(sums.compressed_tokens)),
        ("removed", share(sums.removed_tokens, sums.origin_tokens)),
        ("paid", usd(sums.cost_usd)),
        ("net saved", usd(sums.saved_usd)),
        ("our cache", share(sums.hits, sums.lookups)),
        ("provider's", share(sums.cached_tokens, sums.prompt_tokens)),
        ("added", milliseconds(mean(sums.added_ms, sums.timed))),
        ("turns", decimal(per_conversation)),
        ("cost more", count(sums.negative)),
    )
    return Row(name, link, cells, sums.saved_usd < 0)

"""gateway.plan: what the response's own header fields say, and that no value breaks out of its field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import Plan
from policies.decide import Decision


def test_everything_known_is_said_in_order() -> None:
    plan = Plan(
        b"",
        decision=Decision(policy="rag", variant="half", assigned="on"),
        origin_tokens=100,
        compressed_tokens=0,
        cache="hit",
    )
    assert plan.headers("pith-1", b"parse;dur=1") == [
        (b"x-pith-id", b"pith-1"),
        (b"x-pith-policy", b"rag"),
        (b"x-pith-variant", b"half"),
        (b"x-pith-mode", b"on"),
        (b"x-pith-origin-tokens", b"100"),
        (b"x-pith-compressed-tokens", b"0"),
        (b"x-pith-cache", b"hit"),
        (b"x-pith-timing", b"parse;dur=1"),
    ]


def test_what_is_not_known_is_not_said() -> None:
    assert Plan(b"", skip="too_large").headers("pith-1", b"") == [
        (b"x-pith-id", b"pith-1"),
        (b"x-pith-mode", b"off"),
        (b"x-pith-skip", b"too_large"),
    ]


@given(st.text(max_size=40))
def test_no_value_ends_its_line(name: str) -> None:
    """Names are checked where policies are read; a pinned decision comes from a cache."""
    plan = Plan(b"", decision=Decision(policy=name, variant=name + "\r\nset-cookie: a=b", assigned="on"))
    for _, value in plan.headers("pith-1", b""):
        assert all(0x20 <= byte < 0x7F for byte in value)

"""Ids tell whose they are, to whoever holds the secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hashing import Secret
from gateway.request_id import is_issued, issue

SECRET = Secret(b"s" * 32)


@given(st.text())
def test_an_id_is_of_its_tenant_alone(tenant: str) -> None:
    name = issue(SECRET, "tenant")
    assert is_issued(SECRET, "tenant", name)
    assert is_issued(SECRET, tenant, name) == (tenant == "tenant")
    assert not is_issued(Secret(b"t" * 32), "tenant", name)


def test_ids_differ_and_are_plain() -> None:
    names = {issue(SECRET, "t") for _ in range(1_000)}
    assert len(names) == 1_000
    assert {len(name) for name in names} == {37}


@pytest.mark.parametrize("n", range(5, 37))
def test_one_digit_changed_is_another_id(n: int) -> None:
    name = issue(SECRET, "t")
    changed = name[:n] + ("0" if name[n] != "0" else "1") + name[n + 1 :]
    assert not is_issued(SECRET, "t", changed)


@given(st.text())
def test_anything_else_is_none(name: str) -> None:
    assert not is_issued(SECRET, "t", name)
    assert not is_issued(SECRET, "t", issue(SECRET, "t") + name[:1] + "\n")

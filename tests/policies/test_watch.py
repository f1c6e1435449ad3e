from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policies.errors import PolicyError
from policies.load import default_policies
from policies.watch import FixedPolicies, PolicyFile, watch

ONE = "policies: [{name: one}]\n"
TWO = "policies: [{name: two}]\n"
BAD = "policies: [{name: one, mod: on}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(ONE)
    return path


def replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


def names(source: PolicyFile) -> list[str]:
    return [policy.name for policy in source.current.policies]


def test_the_first_read_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read \(No such file"):
        PolicyFile(tmp_path / "nowhere.yaml")
    (tmp_path / "bad.yaml").write_text(BAD)
    with pytest.raises(PolicyError, match=r"bad\.yaml:1: policies\[0\]\.mod: unknown key"):
        PolicyFile(tmp_path / "bad.yaml")


def test_an_untouched_file_changes_nothing(path: Path) -> None:
    source = PolicyFile(path)
    assert not source.reload()
    assert names(source) == ["one"]


def test_a_replaced_file_is_noticed(path: Path) -> None:
    source = PolicyFile(path)
    replace(path, TWO)
    assert source.reload()
    assert names(source) == ["two"]
    assert not source.reload()


def test_same_size_and_time_but_another_file_is_noticed(path: Path) -> None:
    source = PolicyFile(path)
    status = path.stat()
    fresh = path.with_suffix(".new")
    fresh.write_text(TWO)
    os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(fresh, path)
    assert source.reload()


def test_a_swapped_symlink_is_noticed(tmp_path: Path) -> None:
    for name, text in (("v1", ONE), ("v2", TWO)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policies.yaml").write_text(text)
    data, path = tmp_path / "..data", tmp_path / "policies.yaml"
    data.symlink_to("v1")
    path.symlink_to("..data/policies.yaml")
    source = PolicyFile(path)
    fresh = tmp_path / "..data_tmp"
    fresh.symlink_to("v2")
    os.replace(fresh, data)
    assert source.reload()
    assert names(source) == ["two"]


def test_a_touched_file_is_no_change(path: Path) -> None:
    source = PolicyFile(path)
    replace(path, "# the same policies\n" + ONE)
    assert not source.reload()
    assert source.problem is None


def test_a_bad_file_keeps_the_last_good_set(path: Path) -> None:
    source = PolicyFile(path)
    replace(path, BAD)
    assert not source.reload()
    assert names(source) == ["one"]
    assert source.problem == f"{path}:1: policies[0].mod: unknown key; did you mean 'mode'?"
    assert not source.reload()
    assert source.problem is not None
    replace(path, TWO)
    assert source.reload()
    assert source.problem is None


def test_a_file_that_went_and_came_back_as_it_was(path: Path) -> None:
    source = PolicyFile(path)
    away = path.with_suffix(".away")
    path.rename(away)
    assert not source.reload()
    assert (
        source.problem
        == f"{path}: cannot be read (No such file or directory); check the path and its permissions"
    )
    assert names(source) == ["one"]
    away.rename(path)
    assert not source.reload()
    assert source.problem is None


def test_fixed_policies_stay() -> None:
    source = FixedPolicies(default_policies())
    assert not source.reload()
    assert source.problem is None


async def test_watching(path: Path) -> None:
    """Every nap does what is next on the list; the last one stops the watching."""
    source = PolicyFile(path)
    seen: list[tuple[list[str], bool]] = []
    steps: Iterator[Callable[[], object]] = iter(
        [lambda: None, lambda: replace(path, TWO), lambda: replace(path, BAD), lambda: None]
    )

    async def nap(seconds: float) -> None:
        assert seconds == 2.5
        if (step := next(steps, None)) is None:
            raise asyncio.CancelledError
        step()

    with pytest.raises(asyncio.CancelledError):
        await watch(source, 2.5, lambda: seen.append((names(source), source.problem is None)), nap)
    assert seen == [(["two"], True), (["two"], False)]

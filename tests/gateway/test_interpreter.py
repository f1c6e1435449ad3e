"""What a serving process asks of the interpreter."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Iterator

import pytest

from gateway.interpreter import NO_FULL_COLLECTION, SWITCH_S, settle


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before, files = sys.getswitchinterval(), resource.getrlimit(resource.RLIMIT_NOFILE)
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    sys.setswitchinterval(before)
    gc.unfreeze()


def test_what_is_there_is_no_longer_collected() -> None:
    settle()
    kept = [object() for _ in range(3)]
    assert gc.get_freeze_count() > 10_000
    assert kept in gc.get_objects()  # what comes later is


def test_python_makes_no_full_collection_by_itself() -> None:
    young = gc.get_threshold()[:2]
    settle()
    assert gc.get_threshold() == (*young, NO_FULL_COLLECTION)


def test_threads_are_told_to_let_go_soon() -> None:
    settle()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)


def test_as_many_files_as_are_allowed_may_be_open() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    settle()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)

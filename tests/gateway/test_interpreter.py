"""What a serving process asks of the interpreter."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.interpreter import LOADING_MMAP_BYTES, NO_FULL_COLLECTION, SWITCH_S, settle


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


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages of a mapping of its own")
def test_while_loading_what_is_large_goes_back_at_once() -> None:
    code = f"""
from gateway.interpreter import prepare_to_load
prepare_to_load()
bytearray(20 * {LOADING_MMAP_BYTES})  # by itself glibc would take the next one of that size to its heap
held = bytearray(b'x') * (10 * {LOADING_MMAP_BYTES})
heap = next(line for line in open('/proc/self/maps') if '[heap]' in line).split()[0].split('-')
print(int(heap[1], 16) - int(heap[0], 16))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10 * LOADING_MMAP_BYTES

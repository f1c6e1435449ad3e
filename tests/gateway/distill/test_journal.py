"""A file that only grows."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compressor.errors import DataError
from compressor.train.records import encoded
from gateway.distill.journal import Journal

ONE, TWO = {"id": "a#0", "text": "Straße"}, {"id": "a#1", "text": "東京"}


def lines(*records: dict[str, str]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_what_was_added_is_there_the_next_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "f") as journal:
        assert not journal.has("a#0", "Straße")
        journal.add(ONE)
        assert journal.has("a#0", "Straße")
    with Journal(tmp_path / "f") as journal:
        assert (len(journal), journal.was_torn) == (1, False)
        journal.add(TWO)
    assert [json.loads(line) for line in (tmp_path / "f").read_bytes().splitlines()] == [ONE, TWO]


@pytest.mark.parametrize("cut", range(1, len(lines(TWO)) - 1))
def test_a_torn_line_is_taken_off(cut: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(lines(ONE) + lines(TWO)[:cut])
    with Journal(tmp_path / "f") as journal:
        assert journal.was_torn
        assert not journal.has("a#1", "東京")
        journal.add(TWO)
    assert [json.loads(line) for line in (tmp_path / "f").read_bytes().splitlines()] == [ONE, TWO]


def test_a_line_that_only_lacks_its_end_stays(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(lines(ONE, TWO)[:-1])
    with Journal(tmp_path / "f") as journal:
        assert (len(journal), journal.was_torn) == (2, True)
    assert (tmp_path / "f").read_bytes() == lines(ONE, TWO)


def test_a_file_of_one_torn_line(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'{"id"')
    with Journal(tmp_path / "f") as journal:
        assert len(journal) == 0
    assert (tmp_path / "f").read_bytes() == b""


def test_another_text_of_the_same_name_is_no_match(tmp_path: Path) -> None:
    with Journal(tmp_path / "f") as journal:
        journal.add(ONE)
        with pytest.raises(DataError, match="another text than the input has: name another file"):
            journal.has("a#0", "changed")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "f"),
        pytest.raises(DataError, match="being written by another run"),
        Journal(tmp_path / "f"),
    ):
        pass
    with Journal(tmp_path / "f"):
        pass


def test_what_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"notes\n")
    with pytest.raises(DataError, match=r"f:1: .* is no JSON"), Journal(tmp_path / "f"):
        pass
    assert (tmp_path / "f").read_bytes() == b"notes\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"cannot write .*; name another file"),
        Journal(tmp_path / "no" / "f"),
    ):
        pass


def test_a_full_disk_is_said_and_what_it_tore_is_mended(tmp_path: Path) -> None:
    with Journal(tmp_path / "f") as journal:
        journal.add(ONE)
        with _room_for(len(encoded(ONE)) + 9), pytest.raises(DataError, match="make room and run again"):
            journal.add(TWO)
    assert (tmp_path / "f").read_bytes()[-9:] == encoded(TWO)[:9]
    with Journal(tmp_path / "f") as journal:
        assert (len(journal), journal.was_torn) == (1, True)


@contextmanager
def _room_for(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

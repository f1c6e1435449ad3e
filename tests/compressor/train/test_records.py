"""JSON lines: what is read and written, and what is said of lines that cannot be used."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compressor.errors import DataError
from compressor.train.records import Record, encoded, read, shown, write

RECORDS: list[dict[str, Any]] = [{"id": "a", "text": "Straße 東京"}, {"id": "b", "text": "x" * 200_000}]


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz"])
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert write(path, RECORDS) == 2
    assert [record.fields for record in read(path)] == RECORDS
    assert path.read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_packed_file_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    write(tmp_path / "a.gz", RECORDS)
    write(tmp_path / "b.gz", RECORDS)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_blank_lines_count_but_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'\n{"id": 1}\r\n  \n{"id": 2}')
    assert [record.place for record in read(tmp_path / "f")] == [f"{tmp_path / 'f'}:2", f"{tmp_path / 'f'}:4"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": "a"', "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b'{"text": "\\ud800"}', "is no JSON"),  # a lone surrogate is no character
        (b'{"n": NaN}', "is no JSON"),
        (b"[1, 2]", "[1,2] is no object; write one object a line"),
    ],
)
def test_a_bad_line_is_named(line: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"{}\n" + line + b"\n")
    with pytest.raises(DataError) as caught:
        list(read(tmp_path / "f"))
    assert str(caught.value).startswith(f"{tmp_path / 'f'}:2: ")
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file or directory; name a file of JSON lines"):
        list(read(tmp_path / "none"))


def test_a_packed_file_that_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(encoded(RECORDS[0]) * 100)[:-12])
    with pytest.raises(DataError, match="cannot read"):
        list(read(tmp_path / "f"))


def test_a_file_is_not_replaced_by_half_of_another(tmp_path: Path) -> None:
    def breaking() -> Iterator[dict[str, Any]]:
        yield RECORDS[0]
        raise LookupError

    write(tmp_path / "f", RECORDS)
    with pytest.raises(LookupError):
        write(tmp_path / "f", breaking())
    assert [record.fields for record in read(tmp_path / "f")] == RECORDS
    assert [found.name for found in tmp_path.iterdir()] == ["f"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*; name another file"):
        write(tmp_path / "no" / "f", RECORDS)


def test_a_text_field() -> None:
    record = Record("f:3", {"id": "a", "text": " \n", "n": 3})
    assert record.text("id") == "a"
    for name, said in {
        "text": r'f:3: `text` is " \n"; it must be a string that is not blank',
        "n": "f:3: `n` is 3; it must be a string that is not blank",
        "lang": "f:3: `lang` is missing; it must be a string that is not blank",
    }.items():
        with pytest.raises(DataError) as caught:
            record.text(name)
        assert str(caught.value) == said


def test_a_value_is_shown_as_json_and_cut() -> None:
    assert shown("x" * 100) == '"' + "x" * 59 + "…"
    assert shown("\ud800") == "'\\ud800'"

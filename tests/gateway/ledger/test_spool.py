"""The spool: what was added is there for the next, whole, private and within its bound."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ledger.notes import Row
from gateway.ledger.schema import to_row
from gateway.ledger.spool import FILE_BYTES, Spool
from gateway.types import Entry

BIG = 1 << 30


def row(n: int) -> Row:
    return to_row(
        Entry(id=str(n), created_at=n + 0.1, path="/v1/x", status=200, model="<b>\u2028ü", cost_usd=1e-9)
    )


def take_all(spool: Spool) -> list[Row]:
    rows: list[Row] = []
    while segment := spool.claim():
        rows += [one for batch in segment.batches(7) for one in batch]
        segment.remove()
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pith.db.spool"


def test_what_was_added_comes_back_in_order_and_once(folder: Path) -> None:
    spool = Spool(folder, BIG)
    assert spool.claim() is None
    for start in range(0, 100, 10):
        assert spool.add([row(n) for n in range(start, start + 10)])
    assert (folder.stat().st_mode & 0o777, [file.stat().st_mode & 0o777 for file in folder.iterdir()]) == (
        0o700,
        [0o600],
    )
    assert take_all(spool) == [row(n) for n in range(100)]
    assert (take_all(spool), spool.size(), list(folder.iterdir())) == ([], 0, [])


def test_a_file_is_left_for_a_new_one_when_it_is_large(folder: Path) -> None:
    spool = Spool(folder, BIG)
    n_rows = FILE_BYTES // 400
    for _ in range(3):
        assert spool.add([row(n) for n in range(n_rows)])
    assert len(list(folder.iterdir())) > 1
    assert len(take_all(spool)) == 3 * n_rows


def test_all_or_nothing_is_taken_up_to_the_bound(folder: Path) -> None:
    spool = Spool(folder, 2_000)
    taken = [spool.add([row(n)]) for n in range(10)]
    assert taken == sorted(taken, reverse=True)
    assert taken[0]
    assert not spool.add([row(n) for n in range(10)])
    assert spool.size() <= 2_000
    assert take_all(spool) == [row(n) for n in range(sum(taken))]
    assert spool.add([row(0)])
    spool.close()


def test_a_folder_that_cannot_be_made_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not Spool(tmp_path / "file" / "spool", BIG).add([row(1)])
    assert not Spool(tmp_path / "gone" / "spool", BIG).add([row(1)])
    assert Spool(tmp_path / "gone" / "spool", BIG).claim() is None


def test_what_another_process_adds_to_is_its_own(folder: Path) -> None:
    one, two = Spool(folder, BIG), Spool(folder, BIG)
    one.add([row(1)])
    assert two.claim() is None
    one.close()
    segment = two.claim()
    assert segment is not None
    assert Spool(folder, BIG).claim() is None  # claimed
    segment.release()
    assert take_all(Spool(folder, BIG)) == [row(1)]


def test_a_folder_moved_away_is_made_anew(folder: Path, tmp_path: Path) -> None:
    spool = Spool(folder, BIG)
    spool.add([row(1)])
    folder.rename(tmp_path / "elsewhere")
    assert spool.add([row(2)])
    assert take_all(spool) == [row(2)]


@pytest.mark.parametrize("damage", [b'{"id": "x", "created_at', b"[1]\n", b'{"id": null}\n', b"\xff\x00\n"])
def test_lines_that_are_no_rows_are_left_out(folder: Path, damage: bytes) -> None:
    folder.mkdir()
    spool = Spool(folder, BIG)
    spool.add([row(1)])
    spool.close()
    [file] = folder.iterdir()
    file.write_bytes(file.read_bytes() + damage)
    assert take_all(spool) == [row(1)]


def test_a_row_of_another_version_gets_our_columns(folder: Path) -> None:
    spool = Spool(folder, BIG)
    other = {name: value for name, value in row(1).items() if name != "saved_usd"} | {"unheard_of": 1}
    spool.add([other])
    assert take_all(spool) == [row(1)]


FULL = """
import resource, sys
from pathlib import Path
from gateway.ledger.spool import Spool
from gateway.ledger.notes import Row
from gateway.ledger.schema import to_row
from gateway.types import Entry

spool, rows = Spool(Path(sys.argv[1]), 1 << 30), [to_row(Entry("id", 1.0, "/", 200))]
assert spool.add(rows)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size() + 20, hard))
assert not spool.add(rows)  # a part of it would have fitted
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert spool.add(rows)
spool.close()
segment = spool.claim()
assert len([row for batch in segment.batches(10) for row in batch]) == 2
"""


def test_a_full_disk_leaves_no_half_rows(folder: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    subprocess.run([sys.executable, "-c", FULL, str(folder)], check=True, timeout=30)

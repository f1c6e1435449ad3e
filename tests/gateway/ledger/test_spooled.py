"""gateway.ledger.spooled: rows and bytes that lie in the folder, whoever put them there."""

from __future__ import annotations

from pathlib import Path

from gateway.ledger.schema import to_row
from gateway.ledger.spool import Spool
from gateway.ledger.spooled import SpoolCount
from gateway.ledger.store import LedgerSettings, SqlLedger
from gateway.types import Entry, Spooled


def rows(*numbers: int) -> list[dict[str, object]]:
    return [to_row(Entry(f"pith-{number}", float(number), "/v1/x", 200)) for number in numbers]


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_rows_are_counted_as_they_come_and_go(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    count = SpoolCount(folder)
    assert count.look() == Spooled(0, 0), "there is no folder yet"
    mine, theirs = Spool(folder, 1 << 20), Spool(folder, 1 << 20)
    assert mine.add(rows(1, 2))
    assert count.look() == Spooled(2, on_disk(folder))
    assert theirs.add(rows(3))
    assert mine.add(rows(4))
    assert count.look() == Spooled(4, on_disk(folder))
    assert count.look() == Spooled(4, on_disk(folder))
    theirs.close()
    segment = mine.claim()
    assert segment is not None
    segment.remove()
    left = count.look()
    assert 0 < left.rows < 4
    assert left.bytes == on_disk(folder)


def test_a_file_that_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "other.txt").write_text("no rows")
    assert SpoolCount(tmp_path).look() == Spooled(0, 0)


async def test_a_ledger_tells_what_it_put_there(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'pith.db'}", LedgerSettings(close_s=0.01))
    ledger.start()
    assert ledger.spooled == Spooled(0, 0)
    (tmp_path / "pith.db").unlink()
    (tmp_path / "pith.db").mkdir()  # no database any more
    for number in range(3):
        ledger.record(Entry(f"pith-{number}", 1.0, "/v1/x", 200))
    await ledger.aclose()
    assert ledger.spooled.rows == 3
    assert ledger.dropped == 0

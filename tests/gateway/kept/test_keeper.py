"""The thread that keeps requests: nothing waits for it, nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.hashing import Secret
from gateway.kept.files import KeptFiles, Limits, Unread, paths, read
from gateway.kept.keeper import QUEUE_BYTES, Keeper
from gateway.kept.settings import KeptTextsConfig, kept_folder
from tests.gateway.kept.test_record import kept

SECRET = Secret(b"s" * 32)


def keeper(folder: Path) -> Keeper:
    return Keeper(folder, SECRET, KeptTextsConfig(days=1))


async def test_what_is_kept_is_there_after_the_end(tmp_path: Path) -> None:
    ours = keeper(tmp_path / "texts")
    for n in range(20):
        ours.keep(kept(id=str(n), at=float(n)))
    await ours.aclose()
    assert [one.id for one in read(tmp_path / "texts", SECRET, 0.0, Unread())] == [str(n) for n in range(20)]
    assert (ours.counts.kept, ours.counts.dropped, ours.counts.failed) == (20, 0, 0)
    ours.keep(kept())
    assert ours.counts.dropped == 1


async def test_a_queue_that_is_full_drops_and_counts(tmp_path: Path) -> None:
    ours = keeper(tmp_path / "texts")
    ours.keep(kept(b"x" * (QUEUE_BYTES + 1)))
    assert ours.counts.dropped == 1
    await ours.aclose()
    assert not (tmp_path / "texts").exists()


async def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "texts").write_text("a file")
    ours = keeper(tmp_path / "texts")
    for _ in range(3):
        ours.keep(kept())
    await ours.aclose()
    assert ours.counts.failed == 3
    assert caplog.text.count("texts are not kept") == 1


async def test_what_is_too_old_goes_though_nothing_is_kept_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    earlier = KeptFiles(folder, SECRET, Limits(1e9, 1 << 30))
    earlier.add(kept(at=0.0), 0.0)
    earlier.close()
    ours = keeper(folder)
    ours.start()
    await ours.aclose()
    assert paths(folder) == []


def test_where_they_are(tmp_path: Path) -> None:
    settings = KeptTextsConfig()
    assert kept_folder(settings, tmp_path / "pith.db") == tmp_path / "pith.db.texts"
    assert kept_folder(settings, None) == Path("pith-ledger.texts").absolute()
    assert kept_folder(KeptTextsConfig(path=tmp_path / "x"), None) == tmp_path / "x"

"""Kept requests on disk: nothing readable at rest, nothing older than allowed, never more than allowed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.hashing import Secret
from gateway.kept.files import FILE_BYTES, HOUR_S, KeptFiles, Limits, Unread, paths, read
from tests.gateway.kept.test_record import kept

SECRET = Secret(b"s" * 32)
DAY_S = 86_400.0
NOW = 100 * DAY_S
CANARY = b"CANARY-of-a-prompt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "texts"


Files = Callable[..., KeptFiles]


@pytest.fixture
def files() -> Iterator[Files]:
    """Opens folders, and closes them at the end."""
    opened: list[KeptFiles] = []

    def open_one(folder: Path, days: float = 7, max_bytes: int = 1 << 30) -> KeptFiles:
        opened.append(KeptFiles(folder, SECRET, Limits(days * DAY_S, max_bytes)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def ids(folder: Path, since: float = 0.0, secret: Secret = SECRET) -> list[str]:
    return [one.id for one in read(folder, secret, since, Unread())]


def test_what_is_added_is_read_back_in_order(folder: Path, files: Files) -> None:
    first, second = files(folder), files(folder)
    first.add(kept(id="a", at=NOW), NOW)
    second.add(kept(id="b", at=NOW + 1), NOW + 1)
    first.add(kept(id="c", at=NOW + 2), NOW + 2)
    assert ids(folder) == ["a", "b", "c"]
    assert ids(folder, since=NOW + 1) == ["b", "c"]
    assert len(paths(folder)) == 2


def test_nothing_is_readable_at_rest(folder: Path, files: Files) -> None:
    files(folder).add(kept(CANARY * 50, tenant="tenant-canary", model="model-canary", at=NOW), NOW)
    [path] = paths(folder)
    written = path.read_bytes()
    for canary in (CANARY, CANARY[:10], b"tenant-canary", b"model-canary", b"/v1/chat"):
        assert canary not in written
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_secret_reads_nothing(folder: Path, files: Files) -> None:
    files(folder).add(kept(at=NOW), NOW)
    unread = Unread()
    assert list(read(folder, Secret(b"x" * 32), 0.0, unread)) == []
    assert unread.n_records == 1


def test_a_record_is_bound_to_its_id(folder: Path, files: Files) -> None:
    files(folder).add(kept(id="pith-1", at=NOW), NOW)
    [path] = paths(folder)
    path.write_bytes(path.read_bytes().replace(b"pith-1", b"pith-2"))
    assert ids(folder) == []


def test_a_record_that_was_cut_is_none_and_the_others_are_there(folder: Path, files: Files) -> None:
    ours = files(folder)
    ours.add(kept(id="a", at=NOW), NOW)
    ours.add(kept(id="b", at=NOW), NOW)
    [path] = paths(folder)
    os.truncate(path, path.stat().st_size - 5)
    assert ids(folder) == ["a"]


def test_what_is_too_old_is_deleted(folder: Path, files: Files) -> None:
    ours = files(folder, days=2)
    ours.add(kept(id="old", at=NOW - 3 * DAY_S), NOW - 3 * DAY_S)
    ours.add(kept(id="new", at=NOW - DAY_S), NOW - DAY_S)
    ours.tidy(NOW)
    assert ids(folder) == ["new"]
    ours.tidy(NOW + DAY_S + HOUR_S + 1)
    assert paths(folder) == []
    ours.add(kept(id="next", at=NOW + 2 * DAY_S), NOW + 2 * DAY_S)
    assert ids(folder) == ["next"]


def test_the_oldest_go_when_there_is_no_room(folder: Path, files: Files) -> None:
    body = os.urandom(200_000)
    ours = files(folder, max_bytes=1 << 20)
    for hour in range(8):
        assert ours.add(kept(body, id=str(hour), at=NOW + hour * HOUR_S), NOW + hour * HOUR_S)
        assert sum(path.stat().st_size for path in paths(folder)) <= 1 << 20
    assert ids(folder) == ["3", "4", "5", "6", "7"]
    assert not ours.add(kept(os.urandom(2 << 20), at=NOW), NOW)


def test_a_file_that_is_full_is_left(folder: Path, files: Files) -> None:
    ours = files(folder)
    body = os.urandom(FILE_BYTES * 2 // 3)
    for name in "ab":
        ours.add(kept(body, id=name, at=NOW), NOW)
    assert len(paths(folder)) == 2
    assert sorted(ids(folder)) == ["a", "b"]


def test_other_files_are_left_alone(folder: Path, files: Files) -> None:
    folder.mkdir()
    (folder / "notes.kept").write_bytes(b"mine")
    files(folder, days=1).tidy(NOW)
    assert (folder / "notes.kept").exists()
    assert ids(folder) == []

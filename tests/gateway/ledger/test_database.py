"""The file: private, of our schema or refused, never changed when it is somebody else's."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.ledger.database import STORE_ERRORS, explain, open_reader, open_writer, sqlite_path
from gateway.ledger.schema import entries, to_row
from gateway.types import Entry

ENTRY = Entry(id="a", created_at=1.0, path="/v1/x", status=200)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pi th#1?%41.db"  # characters that mean something in a URI


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_url_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_path("sqlite:///pith.db") == tmp_path / "pith.db"
    assert sqlite_path("sqlite:////var/lib/pith.db") == Path("/var/lib/pith.db")


@pytest.mark.parametrize(
    ("url", "mark"),
    [
        ("pith.db", "no database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=rw", "names no file"),
        ("postgresql://pith:secret@db/pith", "is no file"),
    ],
)
def test_other_urls_are_refused_with_a_remedy(url: str, mark: str) -> None:
    with pytest.raises(ConfigError, match=mark) as caught:
        sqlite_path(url)
    assert "write sqlite:///" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_files_are_private_whatever_the_umask(path: Path) -> None:
    old = os.umask(0)
    try:
        with open_writer(path) as connection:
            connection.execute(entries.insert(), [to_row(ENTRY)])
            connection.commit()
            files = sorted(path.parent.iterdir())
            assert [file.name[len(path.name) :] for file in files] == ["", "-shm", "-wal"]
            assert [mode_of(file) for file in files] == [0o600] * 3
    finally:
        os.umask(old)


def test_an_open_file_is_made_private(path: Path) -> None:
    open_writer(path).close()
    wal = path.with_name(path.name + "-wal")
    wal.touch()
    for file in (path, wal):
        file.chmod(0o644)
    with open_writer(path):
        assert (mode_of(path), mode_of(wal)) == (0o600, 0o600)


def test_durability_settings(path: Path) -> None:
    with open_writer(path) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_what_was_written_can_be_read_while_the_writer_is_open_and_after(path: Path) -> None:
    with open_writer(path) as writer:
        writer.execute(entries.insert(), [to_row(ENTRY)])
        writer.commit()
        with open_reader(path) as reader:
            assert reader.scalars(entries.select()).all() == ["a"]
    with open_reader(path) as reader:
        assert reader.scalars(entries.select()).all() == ["a"]


def test_a_reader_cannot_write(path: Path) -> None:
    open_writer(path).close()
    with open_reader(path) as reader, pytest.raises(STORE_ERRORS, match="readonly"):
        reader.execute(entries.insert(), [to_row(ENTRY)])


def test_a_reader_does_not_make_a_file(path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        open_reader(path)
    assert not path.exists()


VERSIONS = "create table ledger_schema (version int); insert into ledger_schema values ({}); "
ENTRIES = "create table entries (id text);"


@pytest.mark.parametrize(
    ("sql", "mark"),
    [
        ("create table users (name text)", "another program"),
        (ENTRIES, "another program"),
        ("create table ledger_schema (version int);" + ENTRIES, "version None"),
        (VERSIONS.format(7) + ENTRIES, "version 7"),  # a newer one, without our columns
        (VERSIONS.format(1) + ENTRIES, "version 1"),  # our number, other columns
    ],
)
def test_other_schemas_are_refused_and_left_alone(path: Path, sql: str, mark: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(sql)
    path.chmod(0o640)
    before = path.read_bytes()
    for opener in (open_writer, open_reader):
        with pytest.raises(ConfigError, match=mark) as caught:
            opener(path)
        assert str(path) in str(caught.value)
    assert (path.read_bytes(), mode_of(path), list(path.parent.iterdir())) == (before, 0o640, [path])


def test_an_empty_file_is_no_ledger_to_read_and_becomes_one_when_written(path: Path) -> None:
    path.touch()
    with pytest.raises(ConfigError, match="no ledger yet"):
        open_reader(path)
    open_writer(path).close()
    open_reader(path).close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"notes of mine\n" * 100)
    with pytest.raises(STORE_ERRORS) as caught:
        open_writer(path)
    assert "not a database" in explain(path, caught.value)
    assert path.read_bytes() == b"notes of mine\n" * 100


def test_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "pith.db"
    with pytest.raises(FileNotFoundError) as caught:
        open_writer(path)
    assert f"{tmp_path / 'gone'} does not exist" in explain(path, caught.value)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (sqlite3.OperationalError("database is locked"), "another process"),
        (sqlite3.OperationalError("database or disk is full"), "free some space"),
        (sqlite3.DatabaseError("database disk image is malformed"), "move the file away"),
        (PermissionError(13, "Permission denied"), "Permission denied; check the file and its folder"),
        (ConfigError("as it is"), "as it is"),
    ],
)
def test_explanations_carry_a_remedy(error: Exception, remedy: str) -> None:
    assert remedy in explain(Path("/x/pith.db"), error)


def test_explanations_never_carry_values(path: Path) -> None:
    with open_writer(path) as connection, pytest.raises(STORE_ERRORS) as caught:
        connection.execute(entries.insert(), [{"id": "canary-value", "path": None}])
    assert "canary" not in explain(path, caught.value) + str(caught.value)


def test_many_processes_can_open_a_new_file_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.ledger.database import open_writer; "
        "sys.stdin.read(1); open_writer(Path(sys.argv[1])).close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    results = [process.communicate() for process in processes]
    assert [(process.returncode, err) for process, (_, err) in zip(processes, results, strict=True)] == [
        (0, b"")
    ] * 4


def test_a_lock_that_stays_is_an_error_and_one_that_goes_is_not(path: Path) -> None:
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        reading = other.execute("select * from ledger_version union all select 2")
        reading.fetchone()  # holds a shared lock, which the switch to WAL cannot wait for
        with pytest.raises(STORE_ERRORS) as caught:
            open_writer(path)
        assert "locked; another process" in explain(path, caught.value)
        reading.close()
        open_writer(path).close()

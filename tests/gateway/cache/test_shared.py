"""gateway.cache.shared: what is wrong with the files of TLS is said at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cache.location import Tls
from gateway.cache.shared import check_files
from gateway.errors import ConfigError


def test_nothing_named_is_fine() -> None:
    check_files(Tls())


@pytest.mark.parametrize("name", ["ca", "cert"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / "gone.pem")
    with pytest.raises(ConfigError, match=rf"cache: \?{name}=.*gone\.pem.*No such file.*correct"):
        check_files(Tls(**{name: path}))


@pytest.mark.parametrize("name", ["ca", "cert"])
def test_a_file_that_holds_something_else_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / "notes.pem"
    file.write_text("secret words")
    with pytest.raises(ConfigError, match=rf"cache: \?{name}=.*notes\.pem") as caught:
        check_files(Tls(**{name: str(file)}))
    assert "secret words" not in str(caught.value)

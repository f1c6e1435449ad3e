"""Finding a model's files, and saying what is missing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from compressor.errors import ModelError
from compressor.scorers.folder import ModelFolder, find_model


def write(folder: Path, **files: str) -> Path:
    """A folder with files; `_` in a keyword stands for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def whole(folder: Path) -> Path:
    return write(folder, config__json="{}", tokenizer__json="{}", model__safetensors="w")


def test_a_whole_folder_is_found(tmp_path: Path) -> None:
    folder = find_model(str(whole(tmp_path)))
    assert folder == ModelFolder(tmp_path)
    assert [path.name for path in folder.weights] == ["model.safetensors"]


def test_pickles_are_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = write(tmp_path, config__json="{}", tokenizer__json="{}", pytorch_model__bin="x")
    with pytest.raises(
        ModelError, match=r"holds only pytorch_model\.bin, a pickle.*safetensors with model\.save_pre"
    ):
        find_model(str(folder))


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no weights"):
        find_model(str(write(tmp_path, config__json="{}", tokenizer__json="{}")))


@pytest.mark.parametrize(
    ("missing", "remedy"), [("config.json", "from_pretrained"), ("tokenizer.json", "AutoTokenizer")]
)
def test_a_missing_file_is_named_with_its_place(tmp_path: Path, missing: str, remedy: str) -> None:
    (whole(tmp_path) / missing).unlink()
    with pytest.raises(ModelError, match=rf"no {missing} in {tmp_path}: .*{remedy}"):
        find_model(str(tmp_path))


def test_a_broken_json_file_is_named(tmp_path: Path) -> None:
    folder = find_model(str(write(whole(tmp_path), tokenizer__json="{")))
    with pytest.raises(ModelError, match=r"tokenizer\.json is not JSON"):
        folder.tokenizer()


def test_a_path_that_is_no_folder_and_no_hub_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no folder .*nowhere, and that is no hub name .*correct the path"):
        find_model(str(tmp_path / "nowhere"))


def test_offline_says_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        find_model("someone/some-model")
    assert str(Path("someone/some-model").resolve()) in str(caught.value)
    assert f"hub cache {tmp_path}" in str(caught.value)
    assert "HF_HUB_OFFLINE is set: download it first or correct the name" in str(caught.value)


def test_a_model_in_the_hub_cache_is_found_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    revision = "0" * 40
    snapshot = whole(tmp_path / "models--someone--some-model" / "snapshots" / revision)
    write(snapshot.parents[1] / "refs", main=revision)
    assert find_model("someone/some-model").path == snapshot


@pytest.mark.parametrize(
    ("content", "longest"),
    [('{"model_max_length": 512}', 512), ('{"model_max_length": 1e30}', None), ("{}", None), (None, None)],
)
def test_the_longest_input(tmp_path: Path, content: str | None, longest: int | None) -> None:
    folder = ModelFolder(whole(tmp_path))
    if content is not None:
        (tmp_path / "tokenizer_config.json").write_text(content)
    assert folder.longest_input() == longest


def test_the_fingerprint_follows_every_file_and_version(tmp_path: Path) -> None:
    folder = ModelFolder(whole(tmp_path))
    seen = {folder.fingerprint(("1",)), folder.fingerprint(("2",))}
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_text("changed")
        seen.add(folder.fingerprint(("1",)))
    assert len(seen) == 6
    (tmp_path / "README.md").write_text("changed")
    assert folder.fingerprint(("1",)) in seen


class NoSuchModel(BaseHTTPRequestHandler):
    """A hub that has nothing."""

    def answer(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def empty_hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), NoSuchModel) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_the_hub_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_hub: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", empty_hub)
    with pytest.raises(ModelError, match=r"nothing in the hub cache .*, and the hub says: .*404"):
        find_model("someone/some-model")


def test_a_hub_out_of_reach_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(ModelError, match="the hub cannot be reached: download it first"):
            find_model("someone/some-model")

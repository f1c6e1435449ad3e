"""Where a model's files are: a folder, or the Hugging Face hub's cache (filled by a download unless offline).

Only data is read: safetensors weights and JSON. A folder that would need code or pickles is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compressor.errors import ModelError

_WANTED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder known to hold config.json, tokenizer.json and safetensors weights."""

    path: Path

    @property
    def weights(self) -> list[Path]:
        """The safetensors files, in name order."""
        return sorted(self.path.glob("*.safetensors"))

    def tokenizer(self) -> Any:
        """tokenizer.json, parsed."""
        return _read_json(self.path / "tokenizer.json")

    def longest_input(self) -> int | None:
        """tokenizer_config.json's model_max_length; None where it says nothing (writers put 10^30 then)."""
        path = self.path / "tokenizer_config.json"
        stated = _read_json(path).get("model_max_length") if path.is_file() else None
        return int(stated) if isinstance(stated, int | float) and 0 < stated < 1_000_000 else None

    def fingerprint(self, versions: Sequence[str]) -> str:
        """SHA-256 over the SHA-256 of every file that decides a score, and over `versions`."""
        stem = [self.path / name for name in ("config.json", "tokenizer.json", "tokenizer_config.json")]
        whole = hashlib.sha256()
        for path in [*(path for path in stem if path.is_file()), *self.weights]:
            with path.open("rb") as file:
                whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        for version in versions:
            whole.update(f"{version}\n".encode())
        return whole.hexdigest()


def find_model(name: str) -> ModelFolder:
    """The folder called `name`, else the hub model of that name."""
    folder = Path(name).expanduser()
    return _checked(folder, name) if folder.is_dir() else _checked(_from_hub(name), name)


def _checked(path: Path, name: str) -> ModelFolder:
    for needed, remedy in (
        ("config.json", "give the folder that from_pretrained would take"),
        ("tokenizer.json", "write one with AutoTokenizer.from_pretrained(...).save_pretrained(...)"),
    ):
        if not (path / needed).is_file():
            raise ModelError(f"model {name!r}: no {needed} in {path.resolve()}: {remedy}")
    folder = ModelFolder(path)
    if not folder.weights:
        pickles = sorted(found.name for found in path.glob("*.bin"))
        held = f"only {', '.join(pickles)}, a pickle, which can run code" if pickles else "no weights"
        raise ModelError(
            f"model {name!r}: {path.resolve()} holds {held}: save it as safetensors with "
            "model.save_pretrained(folder), or choose a model that has them"
        )
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import constants, errors, snapshot_download

    looked = f"no folder {Path(name).expanduser().resolve()}"
    cache = Path(constants.HF_HUB_CACHE)
    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED)))
    except errors.HFValidationError as error:
        raise ModelError(
            f"model {name!r}: {looked}, and that is no hub name (organisation/model): correct the path"
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise ModelError(
            f"model {name!r}: {looked}, nothing in the hub cache {cache}, and {why}: "
            "download it first or correct the name"
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"model {name!r}: {looked}, nothing in the hub cache {cache}, and the hub says: {error}"
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{path.resolve()} is not JSON ({error}): fetch the model again") from error

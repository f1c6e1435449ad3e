"""LiteLLM's real proxy with the callback of deploy/litellm, which has Pith compress what it sends on.

    python -m tests.conformance.litellm_proxy COMMAND     exit code 1 if anything is not as it must be

COMMAND is the `litellm` of an environment with `litellm[proxy]`, which does not fit into Pith's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

from tests.conformance.sdk_suite import free_ports
from tests.e2e.conftest import serving
from tests.e2e.dialects_upstream import DialectsUpstream
from tests.e2e.whole_gateway import LONG, POLICY, gateway
from tests.tracked import ROOT

KEY: Final = "sk-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"
"""Of the proxy's own: it refuses a weak one."""
START_S: Final = 180.0
ASKED: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {"model": "gpt-4o", "messages": [{"role": "user", "content": LONG}]},
    "/v1/responses": {"model": "gpt-4o", "input": LONG},
    "/v1/messages": {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": LONG}]},
}


def main() -> int:
    """Prints a line for each API."""
    upstream, wrong = DialectsUpstream(), 0
    with TemporaryDirectory(prefix="pith-litellm-") as name, serving(upstream.app()) as port:
        folder = Path(name)
        nowhere = "http://127.0.0.1:9"  # Pith forwards nothing here
        with gateway(folder, nowhere, policies=[POLICY]) as pith, proxy(folder, port, pith) as url:
            for path, body in ASKED.items():
                fields = {"authorization": f"Bearer {KEY}"}
                answer = httpx.post(url + path, json=body, headers=fields, timeout=60)
                sent = len(json.dumps(upstream.last.json)) if upstream.received else 0
                is_well = answer.status_code == 200 and 0 < sent < 0.8 * len(LONG)
                wrong += not is_well
                said = f"{answer.status_code}, {len(LONG)} characters went on in {sent} bytes"
                print(f"{path}: {'ok' if is_well else 'WRONG'}, {said}")
    return 1 if wrong else 0


@contextmanager
def proxy(folder: Path, upstream_port: int, pith_port: int) -> Iterator[str]:
    """The proxy's URL, once it listens."""
    [port] = free_ports(1)
    upstream = f"http://127.0.0.1:{upstream_port}"
    models = {
        "gpt-4o": {"model": "openai/gpt-4o", "api_base": f"{upstream}/v1", "api_key": "sk-x"},
        "claude": {"model": "anthropic/claude-sonnet-4-5", "api_base": upstream, "api_key": "sk-x"},
    }
    config = {
        "model_list": [{"model_name": name, "litellm_params": given} for name, given in models.items()],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"callbacks": "pith_compress.compress", "num_retries": 0},
    }
    file = folder / "litellm.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    shutil.copy(ROOT / "deploy" / "litellm" / "pith_compress.py", folder)
    own = {"PITH_URL": f"http://127.0.0.1:{pith_port}", "PYTHONPATH": str(folder), "NO_PROXY": "*"}
    environment = {**os.environ, **own, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [sys.argv[1], "--config", str(file), "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield _listening(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _listening(url: str) -> str:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at:
        try:
            if httpx.get(f"{url}/health/liveliness", timeout=2).status_code == 200:
                return url
        except httpx.HTTPError:
            time.sleep(0.5)
    raise RuntimeError("LiteLLM's proxy did not start: see the lines above")


if __name__ == "__main__":
    sys.exit(main())

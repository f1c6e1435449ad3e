"""`pith serve` killed, against which nothing can be done: what is on record stays, the next start goes on."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.e2e.conftest import serving
from tests.e2e.openai_upstream import OpenAIUpstream
from tests.e2e.test_faults import serve_process
from tests.e2e.whole_gateway import chat, configuration, rows
from tests.redis_server import comes

N_OLDER, N_LATEST = 5, 3


async def asked(port: int, n: int) -> set[str]:
    """The ids of as many requests."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        answers = [await client.post("/v1/chat/completions", json=chat("Hi.")) for _ in range(n)]
    return {answer.headers["x-pith-id"] for answer in answers}


def written(folder: Path) -> set[str]:
    return {row["id"] for row in rows(folder)}


async def test_a_killed_process_loses_only_the_latest_rows(tmp_path: Path) -> None:
    with serving(OpenAIUpstream().app()) as behind:
        file = configuration(tmp_path, f"http://127.0.0.1:{behind}")
        async with serve_process(file) as (process, port):
            older = await asked(port, N_OLDER)

            async def are_written() -> bool:
                return older <= written(tmp_path)

            await comes(are_written, "rows are written while nothing else happens")
            latest = await asked(port, N_LATEST)
            process.kill()
            await process.communicate()
        found = written(tmp_path)
        assert older <= found <= older | latest
        async with serve_process(file) as (process, port):
            again = await asked(port, 1)
            process.terminate()
            await process.communicate()
            assert process.returncode == 0
    assert written(tmp_path) == found | again

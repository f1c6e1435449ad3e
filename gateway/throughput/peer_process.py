"""The llmlingua package as a process: texts a line on standard input, on standard output what they took.

Runs in an environment of its own (`requirements/llmlingua.txt`) and so imports nothing of ours. The package
chatters on standard output, which is therefore moved out of its way.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TextIO


def serve(folder: str, device: str, answers: TextIO) -> None:
    """Compress until standard input ends."""
    from llmlingua import PromptCompressor  # type: ignore[import-not-found] # of that environment

    compressor = PromptCompressor(folder, device_map=device, use_llmlingua2=True)
    for line in sys.stdin:
        began, computed = time.perf_counter(), time.process_time()
        compressor.compress_prompt_llmlingua2(json.loads(line), rate=0.5, use_context_level_filter=False)
        took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - computed}
        print(json.dumps(took), file=answers, flush=True)


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.argv[2], out)

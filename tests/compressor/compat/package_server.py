"""The llmlingua package as a process: a case a line on standard input, its answer a line on standard output.

Runs in an environment of its own (`requirements/llmlingua.txt`) and so imports nothing of ours. The package
chatters on standard output, which is therefore moved out of its way.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

RAISES = (ValueError, IndexError, TypeError, ZeroDivisionError, AssertionError, NotImplementedError)
"""Of anything else this process dies, and so is told of."""


def answer(compressor: Any, case: dict[str, Any]) -> dict[str, Any]:
    """What the package answers, or the class of what it raises."""
    try:
        return dict(compressor.compress_prompt_llmlingua2(case["contexts"], **case["options"]))
    except RAISES as error:
        return {"error": type(error).__name__}


def serve(folder: str, answers: TextIO) -> None:
    """Answer until standard input ends."""
    import torch
    from llmlingua import PromptCompressor  # type: ignore[import-not-found] # of that environment

    torch.set_num_threads(1)  # as the side it is compared with: another split of a sum rounds otherwise
    compressor = PromptCompressor(folder, device_map="cpu", use_llmlingua2=True)
    for line in sys.stdin:
        print(json.dumps(answer(compressor, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], out)

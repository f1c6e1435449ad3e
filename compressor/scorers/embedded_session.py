"""Runs the embedded model's graph: the one place that knows onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compressor.errors import ModelError
from compressor.scorers.embedded_folder import Model

_ERRORS_ONLY = 3


class Session:
    """A graph with its weights, ready to run from any thread."""

    def __init__(self, session: onnxruntime.InferenceSession, held: list[onnxruntime.OrtValue]) -> None:
        self._session = session
        self._held = held
        """The weights: the session reads them where they are."""

    def run(self, words: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores of one window, [n], of its words [n, width] and what is known of them [n, known]."""
        [scores] = self._session.run(None, {"words": words[None], "known": known[None]})
        flat: NDArray[np.float32] = scores.reshape(-1)
        return flat


def open_session(model: Model) -> Session:
    """The model's graph with its weights. Raises ModelError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # windows run beside each other
    options.log_severity_level = _ERRORS_ONLY
    held = [onnxruntime.OrtValue.ortvalue_from_numpy(model.weights[name]) for name in model.named]
    try:
        options.add_external_initializers(list(model.named), held)
        session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors are of many unrelated kinds
        raise ModelError(f"the embedded model's graph does not load with its weights ({error})") from error
    return Session(session, held)

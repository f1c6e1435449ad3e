"""What comes and goes with a part of ours, told in the log: when it begins or changes, and when it ends."""

from __future__ import annotations

import logging


class Trouble:
    """Of one part."""

    def __init__(self, logger: logging.Logger, begins: str, ends: str) -> None:
        """The lines: `begins` has `%s` where it says what is wrong."""
        self._logger = logger
        self._begins = begins
        self._ends = ends
        self.last: str | None = None
        """What was seen last."""

    def see(self, trouble: str | None) -> None:
        """As it is now; None: all is well."""
        if trouble == self.last:
            return
        self.last = trouble
        if trouble is None:
            self._logger.info(self._ends)
        else:
            self._logger.error(self._begins, trouble)

"""The global kill switch: the configuration's `mode`, obeyed within seconds of a change to the file."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.errors import ConfigError
from policies.schema import Mode

logger = logging.getLogger(__name__)


class KillSwitch:
    """The mode in force. A configuration that cannot be read leaves it as it was."""

    def __init__(self, mode: Mode, read: Callable[[], Mode]) -> None:
        self.mode: Mode = mode
        self.problem: str | None = None
        self._read = read

    def reload(self) -> None:
        """Read the mode anew."""
        try:
            mode = self._read()
        except ConfigError as error:
            if self.problem is None:
                logger.error("configuration not reloaded, mode stays %s: %s", self.mode, error)
            self.problem = str(error)
            return
        self.problem = None
        if mode != self.mode:
            logger.warning("mode changed from %s to %s", self.mode, mode)
        self.mode = mode

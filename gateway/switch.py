"""The global kill switch: the configuration's `mode`, obeyed within seconds of a change to the file, and what
the admin listener set for the time being. The weaker of the two is in force.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.errors import ConfigError
from policies.decide import weaker
from policies.schema import Mode

logger = logging.getLogger(__name__)


class KillSwitch:
    """The mode in force. A configuration that cannot be read leaves its part of it as it was."""

    def __init__(self, mode: Mode, read: Callable[[], Mode]) -> None:
        self.mode: Mode = mode
        self.configured: Mode = mode
        self.limit: Mode = "on"
        """Set by the admin listener, forgotten when the process ends; `on` limits nothing."""
        self.problem: str | None = None
        self._read = read

    def reload(self) -> None:
        """Read the configured mode anew."""
        try:
            self.configured = self._read()
        except ConfigError as error:
            if self.problem is None:
                logger.error("configuration not reloaded, mode stays %s: %s", self.mode, error)
            self.problem = str(error)
            return
        self.problem = None
        self._obey()

    def restrict(self, limit: Mode) -> None:
        """No more than `limit`, at once, whether or not the configuration can be read."""
        self.limit = limit
        self._obey()

    def _obey(self) -> None:
        mode = weaker(self.configured, self.limit)
        if mode != self.mode:
            logger.warning("mode changed from %s to %s", self.mode, mode)
        self.mode = mode

"""What every test runs under: no model hub, no settings of the caller's, one profile of examples."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ["HF_HUB_OFFLINE"] = "1"
PROFILE = os.environ.get("PITH_TEST_PROFILE", "ci")
for name in [name for name in os.environ if name.startswith("PITH_")]:
    del os.environ[name]

# No deadline and no complaint about slow data: how fast a busy machine is says nothing about a law.
EXAMPLES = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", EXAMPLES, derandomize=True)
settings.register_profile("thorough", EXAMPLES, max_examples=2_000)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a CUDA device the tests marked `gpu` are skipped; torch is imported only to ask for them."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch  # seconds to import

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))

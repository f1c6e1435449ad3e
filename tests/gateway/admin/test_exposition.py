"""gateway.admin.exposition: what Prometheus's own parser reads from the page is what was counted."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway import metrics
from gateway.admin.exposition import render
from gateway.metrics import TABLE, Metrics, Snapshot

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def snapshot() -> Snapshot:
    counts = Metrics()
    counts.add(metrics.SKIPS, ('a"\n\\', "short"), 2)
    counts.observe(metrics.ADDED_SECONDS, 0.0002, ("chat",))
    counts.observe(metrics.ADDED_SECONDS, 7.0, ("chat",))
    return counts.snapshot().plus(Snapshot(gauges={("pith_in_flight", ()): 3.0}))


@pytest.mark.parametrize(("accept", "read"), [("text/plain", read_text), (OPENMETRICS, read_openmetrics)])
def test_the_page_holds_what_was_counted(accept: str, read: object) -> None:
    assert callable(read)
    page, content_type = render(snapshot(), accept)
    assert content_type.partition(";")[0] == accept.partition(";")[0]
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in read(page.decode())
        for sample in family.samples
    }
    assert samples["pith_skips_total", 'a"\n\\', "short"] == 2
    assert samples["pith_in_flight",] == 3
    assert samples["pith_added_seconds_bucket", "chat", "0.0001"] == 0
    assert samples["pith_added_seconds_bucket", "chat", "0.00025"] == 1
    assert samples["pith_added_seconds_bucket", "chat", "1.0"] == 1
    assert samples["pith_added_seconds_bucket", "chat", "+Inf"] == 2
    assert samples["pith_added_seconds_count", "chat"] == 2
    assert samples["pith_added_seconds_sum", "chat"] == pytest.approx(7.0002)


def test_metrics_without_samples_are_named_too() -> None:
    page, _ = render(Snapshot(), "")
    named = {line.split()[2] for line in page.decode().splitlines() if line.startswith("# TYPE")}
    assert named == set(TABLE)

"""A snapshot as Prometheus reads it, in its text format or OpenMetrics, as the request prefers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gateway.metrics import TABLE, Histogram, Labels, Metric, Snapshot


def render(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The page and its content type."""
    encoder, content_type = choose_encoder(accept)
    return encoder(_Samples(snapshot)), content_type


class _Samples(Collector):
    """One family a metric; metrics without samples are named all the same."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._simple: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
        self._histograms: dict[str, list[tuple[Labels, Histogram]]] = defaultdict(list)
        for samples in (snapshot.counters, snapshot.gauges):
            for (name, labels), value in sorted(samples.items()):
                self._simple[name].append((labels, value))
        for (name, labels), histogram in sorted(snapshot.histograms.items(), key=lambda item: item[0]):
            self._histograms[name].append((labels, histogram))

    def collect(self) -> Iterator[Family]:
        for metric in TABLE.values():
            if metric.kind == "histogram":
                yield self._histogram(metric)
            else:
                yield self._plain(metric)

    def _plain(self, metric: Metric) -> Family:
        make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = make(metric.name, metric.help, labels=metric.labels)
        for labels, value in self._simple[metric.name]:
            family.add_metric(labels, value)
        return family

    def _histogram(self, metric: Metric) -> Family:
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        names = [*map(floatToGoString, metric.bounds), "+Inf"]
        for labels, histogram in self._histograms[metric.name]:
            buckets = list(zip(names, map(float, accumulate(histogram.counts)), strict=True))
            family.add_metric(labels, buckets, histogram.total)
        return family

"""Metrics of the service, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """Counters and histograms of one service."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("auricle_requests", "Answered requests.", labels, registry=registry)
        self.seconds = Histogram(
            "auricle_request_seconds",
            "From the header of a request to the end of its answer.",
            ("method", "route"),
            buckets=SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "auricle_batch_recordings",
            "Recordings that were captioned together.",
            buckets=BATCHES,
            registry=registry,
        )
        self.in_work = Gauge(
            "auricle_recordings_in_work", "Recordings that wait or are in work.", registry=registry
        )
        self.jobs = Gauge(
            "auricle_jobs", "Jobs by state, of those that are kept.", ("state",), registry=registry
        )
        self.decoder_deaths = Counter(
            "auricle_decoder_deaths",
            "Decoders that crashed, needed too much memory or took too long.",
            registry=registry,
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)

"""The counts and times of a service, in the text format of Prometheus.

`prometheus_client` keeps the numbers. Several workers share the numbers through files in the
directory that the environment variable PROMETHEUS_MULTIPROC_DIR names, so each worker can tell the
numbers of all workers.
"""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from zoo.types import Json

SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The numbers of one service.

    Attributes:
        requests: the number of requests, by path and status.
        seconds: the time until an answer was sent, by path. A stream counts until its end.
        texts: the number of requested texts, by model.
        tokens: the number of tokens that language models drew, by model.
        batches: the number of texts in each batch, or of slots in use in each block, by model.

    Example:
        >>> metrics = Metrics()
        >>> metrics.texts.labels(model="lstm").inc(3)
        >>> b'zoo_texts_total{model="lstm"} 3.0' in metrics.page()
        True
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        of_model: Json = {"labelnames": ["model"], "registry": registry}
        self.requests = Counter(
            "zoo_requests", "Requests.", labelnames=["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "zoo_request_seconds",
            "Seconds until an answer was sent.",
            labelnames=["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.texts = Counter("zoo_texts", "Texts that were asked for.", **of_model)
        self.tokens = Counter("zoo_tokens", "Tokens that were drawn.", **of_model)
        self.batches = Histogram(
            "zoo_batch_texts", "Texts in each call of a model.", buckets=_COUNTS, **of_model
        )
        self._waiting = Gauge(
            "zoo_waiting_texts", "Texts that wait.", multiprocess_mode="livesum", **of_model
        )
        self._ready = Gauge(
            "zoo_ready_workers",
            "Workers that are ready.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        ProcessCollector(registry=registry)

    def tell_ready(self, is_ready: bool) -> None:
        """Notes whether this worker is ready."""
        self._ready.set(is_ready)

    def tell_waiting(self, name: str, count: int) -> None:
        """Notes the number of texts that wait for a model now."""
        self._waiting.labels(model=name).set(count)

    def page(self) -> bytes:
        """Returns the numbers of this worker, or of all workers that share a directory."""
        if not os.environ.get(SHARED_DIRECTORY):
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)
        return generate_latest(shared)

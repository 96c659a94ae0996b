"""Figures of graphics cards, as the driver tells them; no context is made on a card."""

from collections.abc import Callable, Iterator
from typing import Any

import pynvml
from prometheus_client.core import Metric

from doc_assets.ops.metrics.families import gauges


def count_cards() -> int:
    """Cards that this process sees; 0 without a driver."""
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


def card_families() -> Iterator[Metric]:
    """Memory, load and heat of every card; what a card does not tell has no series.

    Raises:
        pynvml.NVMLError: if the driver does not answer.
    """
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    labels = [(str(index), str(pynvml.nvmlDeviceGetName(handle))) for index, handle in enumerate(handles)]
    memory = [pynvml.nvmlDeviceGetMemoryInfo(handle) for handle in handles]

    def told(ask: Callable[[Any], float]) -> list[tuple[tuple[str, ...], float]]:
        found: list[tuple[tuple[str, ...], float]] = []
        for label, handle in zip(labels, handles, strict=True):
            try:
                found.append((label, float(ask(handle))))
            except pynvml.NVMLError_NotSupported:
                continue
        return found

    names = ("card", "model")
    yield gauges(
        "card_memory_used_bytes", "Memory in use.", names, zip(labels, (float(m.used) for m in memory), strict=True)
    )
    yield gauges("card_memory_size_bytes", "Memory.", names, zip(labels, (float(m.total) for m in memory), strict=True))
    yield gauges(
        "card_busy_ratio",
        "Share of the last moment in which it computed.",
        names,
        told(lambda handle: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100),
    )
    yield gauges(
        "card_temperature_celsius",
        "Heat of the chip.",
        names,
        told(lambda handle: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    )

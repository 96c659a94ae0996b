"""Short ways to make gauges."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

_PREFIX = "doc_assets_"


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """``doc_assets_<name>`` with one value."""
    return GaugeMetricFamily(f"{_PREFIX}{name}", meaning, value=value)


def gauges(
    name: str, meaning: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    """``doc_assets_<name>`` with a value for each combination of labels; without any series if there is none."""
    family = GaugeMetricFamily(f"{_PREFIX}{name}", meaning, labels=labels)
    for found, value in values:
        family.add_metric(found, value)
    return family


def moment(name: str, meaning: str, when: datetime | None) -> GaugeMetricFamily:
    """``doc_assets_<name>_timestamp_seconds``, seconds since 1970; without a series if it never was."""
    values: list[tuple[tuple[str, ...], float]] = [] if when is None else [((), when.timestamp())]
    return gauges(f"{name}_timestamp_seconds", meaning, (), values)

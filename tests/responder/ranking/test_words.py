"""Families of metrics by the words in their names."""

from __future__ import annotations

import pytest

from responder.ranking.panel import Family
from responder.ranking.words import family_of, is_mean, way_of


@pytest.mark.parametrize(
    ("metric", "family", "way"),
    [
        ("http_request_duration_seconds", Family.LATENCY, 1),
        ("p90latency", Family.LATENCY, 1),
        ("lat_90", Family.LATENCY, 1),
        ("latency:Average", Family.LATENCY, 1),
        ("success_rate", Family.ERRORS, -1),
        ("availability:Average", Family.ERRORS, -1),
        ("errors_total", Family.ERRORS, 1),
        ("node_netstat_Tcp_RetransSegs", Family.NETWORK, 1),
        ("container_cpu_cfs_throttled_periods_total", Family.SATURATION, 1),
        ("queue_length", Family.SATURATION, 1),
        ("cpurate", Family.CPU, 1),
        ("container_memory_working_set_bytes", Family.MEMORY, 1),
        ("requests:Sum", Family.TRAFFIC, 0),
        ("rps", Family.TRAFFIC, 0),
        ("network_receive", Family.OTHER, 0),
        ("moon_phase", Family.OTHER, 0),
    ],
)
def test_a_name_tells_family_and_direction(metric: str, family: Family, way: int) -> None:
    """Names as several systems write them; what no word speaks of may go either way."""
    assert (family_of(metric), way_of(metric)) == (family, way)


@pytest.mark.parametrize("metric", ["latency:Average", "latency_avg", "mean_rtt"])
def test_a_mean_is_told_from_quantiles(metric: str) -> None:
    """Only a mean times a count is a sum."""
    assert is_mean(metric)
    assert not is_mean("latency:p99")

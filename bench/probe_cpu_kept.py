"""`probe_cpu_kept`: the same as `probe_cpu`, on kept connections, which the peer has none of."""

from __future__ import annotations

from bench.figure import Figure
from bench.probe_cpu import measure

FIGURE = Figure(
    name="probe_cpu_kept",
    text="CPU of a scheduled HTTP probe on a kept connection, beside blackbox_exporter",
    run=lambda environ: measure(environ, keep=True, reach=1 / 15, reach_paced=1 / 6),
)

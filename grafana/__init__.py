"""Dashboards as code."""

from __future__ import annotations

import warnings

# The SDK warns, when it is imported, that it prefers Grafana's second schema; dashboards that are
# provisioned from files are read in the first one alone.
warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)

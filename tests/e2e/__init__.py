"""End to end, on the real Prometheus and Alertmanager."""

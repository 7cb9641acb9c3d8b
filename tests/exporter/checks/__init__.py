"""Tests of the checks; they mirror exporter/checks."""

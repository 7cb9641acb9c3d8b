"""Tests of reading servers' own metrics; they mirror exporter/native."""

"""Tests of the ways to find targets; they mirror exporter/discoveries."""

"""Tests of investigations by hand."""

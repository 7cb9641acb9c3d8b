"""Tests of the evidence sources, against real servers."""

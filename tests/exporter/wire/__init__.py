"""Tests of the instrument's parts."""

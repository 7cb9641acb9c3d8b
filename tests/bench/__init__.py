"""Tests of the bench's own code; no figure is measured in them."""

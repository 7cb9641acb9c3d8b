"""Finds out what answers at an address, and proposes how to watch it."""

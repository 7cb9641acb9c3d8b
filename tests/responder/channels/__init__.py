"""Channels against far ends that keep the real rules."""

"""Tests of the ground that both programs share."""

from __future__ import annotations

"""What all tests share: the stack they run on, and no clock for Hypothesis."""

from __future__ import annotations

import hypothesis
import pytest

# A noisy machine makes a slow example, not a failing one.
hypothesis.settings.register_profile("vigie", deadline=None)
hypothesis.settings.load_profile("vigie")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose the stack: any (PATH, else Debian's, else built), debian, or current."""
    parser.addoption("--stack", choices=("any", "debian", "current"), default="any")

"""What these tests share with those of the investigation."""

from __future__ import annotations

from tests.responder.investigation.conftest import said, seat

__all__ = ["said", "seat"]

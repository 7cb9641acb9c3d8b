"""When a provider says that a model will be gone, as its card tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from exporter.prediction import FaultError
from exporter.target import Reason


def retirement_of(card: Any, key: str) -> float | None:
    """Read a card's date (ISO 8601) in unix seconds, None where it names none.

    A date without a zone is in UTC. Raises FaultError for what is no date.
    """
    text = card.get(key) if isinstance(card, dict) else None
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise FaultError(Reason.SCHEMA, f"`{key}` is no date") from None

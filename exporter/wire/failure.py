"""How an exchange ends early."""

from __future__ import annotations

from exporter.target import Reason


class FailedError(Exception):
    """Ends an exchange with a reason; the detail is ours and quotes nobody."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

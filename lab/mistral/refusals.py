"""What the API says when it refuses a request, in the shapes that were seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INVALID = "invalid_request_error"
ORDER = "invalid_request_message_order"
CALL = "invalid_function_call"


class RefusedError(Exception):
    """A request that is refused: status, JSON body and headers beside the usual ones."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what the client gets."""
        super().__init__(f"refused with {status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def invalid(message: str, kind: str = INVALID, code: str | None = None) -> RefusedError:
    """Refuse with 400 in the API's uniform shape."""
    return RefusedError(400, _uniform(400, message, kind, code))


def unauthorized() -> RefusedError:
    """Refuse a key, in the shape of the gateway in front of the API."""
    return RefusedError(401, {"detail": "Unauthorized"})


def unprocessable(faults: list[dict[str, Any]]) -> RefusedError:
    """Refuse fields that are missing or of a wrong type, and unknown ones in an envelope."""
    detail = {"detail": faults}
    if all(each["type"] != "extra_forbidden" for each in faults):
        return RefusedError(422, detail)
    envelope = _uniform(422, detail, INVALID, None)
    return RefusedError(422, {k: v for k, v in envelope.items() if k != "raw_status_code"})


def rate_limited(retry_after: str | None = None) -> RefusedError:
    """Refuse for a rate limit; *retry_after* is the header's text."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return RefusedError(429, _uniform(429, "Rate limit exceeded", "rate_limited", "1300"), headers)


def broken(status: int = 500) -> RefusedError:
    """Fail as a service does."""
    return RefusedError(
        status, _uniform(status, "Service unavailable.", "internal_server_error", "1000")
    )


def _uniform(status: int, message: object, kind: str, code: str | None) -> dict[str, Any]:
    return {
        "object": "error",
        "message": message,
        "type": kind,
        "param": None,
        "code": code,
        "raw_status_code": status,
    }

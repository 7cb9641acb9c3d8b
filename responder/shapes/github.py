"""GitHub's webhook events `deployment` and `deployment_status`; `ping` tells of no change.

Form: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Whoever creates a deployment
may name the service in its payload (`{"service": "features"}`); else it is the repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from responder.shape import Announced, first, last_part, part, shape

# Of a status: what is rolled out then, or was not. What is queued or waits has changed nothing.
_DONE = ("in_progress", "success", "failure", "error")


@shape("github")
def github(body: Mapping[str, Any]) -> Sequence[Announced] | None:
    """Read a deployment, or what has become of one."""
    repository = part(body, "repository", "full_name")
    if isinstance(body.get("zen"), str) and "hook_id" in body:
        return ()
    deployment = body.get("deployment")
    if not isinstance(repository, str) or not isinstance(deployment, Mapping):
        return None
    status = body.get("deployment_status")
    state = part(status, "state")
    if isinstance(status, Mapping) and state not in _DONE:
        return ()
    return (_announced(repository, deployment, status, state, body),)


def _announced(
    repository: str, deployment: Mapping[str, Any], status: Any, state: Any, body: Mapping[str, Any]
) -> Announced:
    service = first(part(deployment, "payload", "service"), last_part(repository))
    version = first(deployment.get("ref"), deployment.get("sha"))
    where = first(part(status, "environment"), deployment.get("environment"), "")
    said = f" ({state})" if state else ""
    return Announced(
        service=service,
        kind="deployment",
        title=f"Deploy {service} {version} to {where}{said}",
        at=first(part(status, "created_at"), deployment.get("created_at")),
        version=version,
        author=first(part(deployment, "creator", "login"), part(body, "sender", "login")),
        link=first(
            part(status, "log_url"),
            part(status, "target_url"),
            part(body, "repository", "html_url"),
        ),
    )

"""GitLab's deployment events.

Form: https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events. The
service is the project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from responder.shape import Announced, first, last_part, part, shape

_DONE = ("running", "success", "failed", "canceled")


@shape("gitlab")
def gitlab(body: Mapping[str, Any]) -> Sequence[Announced] | None:
    """Read a deployment that runs or has run; other events of GitLab tell of no change."""
    if not isinstance(body.get("object_kind"), str) or not isinstance(body.get("project"), Mapping):
        return None
    if body["object_kind"] != "deployment" or body.get("status") not in _DONE:
        return ()
    project = part(body, "project", "path_with_namespace")
    service = first(last_part(project), part(body, "project", "name"))
    version = first(body.get("ref"), body.get("short_sha"))
    where = first(body.get("environment"), "")
    title = f"Deploy {service} {version} to {where} ({body['status']})"
    return (
        Announced(
            service=service,
            kind="deployment",
            title=title,
            at=body.get("status_changed_at"),
            version=version,
            author=first(part(body, "user", "username"), part(body, "user", "name")),
            link=first(body.get("deployable_url"), body.get("commit_url")),
        ),
    )

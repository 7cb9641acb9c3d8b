"""An Argo CD Application, as a notification template sends it: `{{toJson .app}}`.

Form: https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/ and
the Application's own (`status.operationState`, `status.sync`). The service is the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from responder.shape import Announced, first, part, shape

_GROUP = "argoproj.io/"


@shape("argocd")
def argocd(body: Mapping[str, Any]) -> Sequence[Announced] | None:
    """Read the last sync of an application; one that was never synced tells of no change."""
    app = body["app"] if isinstance(body.get("app"), Mapping) else body
    is_application = app.get("kind") in ("Application", None) and (
        str(app.get("apiVersion", "")).startswith(_GROUP) or "operationState" in _keys(app)
    )
    if not is_application or not isinstance(part(app, "metadata", "name"), str):
        return None
    operation = part(app, "status", "operationState")
    if not isinstance(operation, Mapping):
        return ()
    return (_announced(app, operation),)


def _keys(app: Mapping[str, Any]) -> Mapping[str, Any]:
    status = app.get("status")
    return status if isinstance(status, Mapping) else {}


def _announced(app: Mapping[str, Any], operation: Mapping[str, Any]) -> Announced:
    name = part(app, "metadata", "name")
    revision = first(
        part(operation, "syncResult", "revision"), part(app, "status", "sync", "revision")
    )
    images = part(app, "status", "summary", "images")
    by = part(operation, "operation", "initiatedBy")
    automated = "argocd (automated)" if part(by, "automated") else None
    phase = first(operation.get("phase"), "")
    return Announced(
        service=name,
        kind="deployment",
        title=f"Sync {name} to {revision} ({phase})",
        # What is rolled out is so from the start of the sync on, not from its end.
        at=first(operation.get("startedAt"), operation.get("finishedAt")),
        version=_version(images, revision),
        author=first(part(by, "username"), automated),
        link=first(part(app, "spec", "source", "repoURL")),
    )


def _version(images: Any, revision: Any) -> Any:
    """Take the tag of the only image; of several none is the application's."""
    if isinstance(images, list) and len(images) == 1 and isinstance(images[0], str):
        tag = images[0].rpartition("/")[2].partition("@")[0].partition(":")[2]
        return tag or revision
    return revision

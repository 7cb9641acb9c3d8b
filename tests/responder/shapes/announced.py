"""Bodies in the documented form of each sender, shortened to what such a post has to say."""

from __future__ import annotations

from typing import Any

GITHUB: dict[str, Any] = {
    "action": "created",
    "deployment_status": {
        "id": 7,
        "state": "success",
        "creator": {"login": "ada", "type": "User"},
        "environment": "production",
        "target_url": "",
        "log_url": "https://github.example/acme/features/actions/runs/7",
        "created_at": "2026-01-01T10:00:30Z",
    },
    "deployment": {
        "id": 5,
        "sha": "0f3c1ab",
        "ref": "v1.5.0",
        "task": "deploy",
        "payload": {},
        "environment": "production",
        "creator": {"login": "ada", "type": "User"},
        "created_at": "2026-01-01T10:00:00Z",
    },
    "repository": {
        "id": 1,
        "full_name": "acme/features",
        "html_url": "https://github.example/acme/features",
    },
    "sender": {"login": "ada", "type": "User"},
}

GITLAB: dict[str, Any] = {
    "object_kind": "deployment",
    "status": "success",
    "status_changed_at": "2026-01-01 12:00:30 +0200",
    "deployment_id": 15,
    "deployable_id": 796,
    "deployable_url": "https://gitlab.example/acme/features/-/jobs/796",
    "environment": "production",
    "environment_tier": "production",
    "project": {"id": 30, "name": "Features", "path_with_namespace": "acme/features"},
    "short_sha": "279484c0",
    "user": {"id": 1, "name": "Ada", "username": "ada"},
    "commit_url": "https://gitlab.example/acme/features/-/commit/279484c0",
    "ref": "v1.5.0",
}

ARGOCD: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "features", "namespace": "argocd"},
    "spec": {"source": {"repoURL": "https://git.example/acme/deploy.git", "path": "features"}},
    "status": {
        "operationState": {
            "phase": "Succeeded",
            "startedAt": "2026-01-01T10:00:30Z",
            "finishedAt": "2026-01-01T10:01:00Z",
            "operation": {"initiatedBy": {"username": "ada"}},
            "syncResult": {"revision": "5c1d7e0"},
        },
        "summary": {"images": ["registry.example/features:v1.5.0"]},
        "sync": {"revision": "5c1d7e0", "status": "Synced"},
    },
}

KUBERNETES: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": {"name": "features.17", "namespace": "prod"},
    "involvedObject": {"kind": "Deployment", "namespace": "prod", "name": "features"},
    "reason": "ScalingReplicaSet",
    "message": "Scaled up replica set features-6d4b to 1",
    "source": {"component": "deployment-controller"},
    "firstTimestamp": "2026-01-01T10:00:00Z",
    "lastTimestamp": "2026-01-01T10:00:30Z",
    "type": "Normal",
}

OWN: dict[str, Any] = {
    "service": "features",
    "kind": "deployment",
    "title": "Deploy features v1.5.0",
    "version": "v1.5.0",
    "author": "ada",
    "time": "2026-01-01T10:00:30Z",
}

BODIES = {
    "argocd": ARGOCD,
    "github": GITHUB,
    "gitlab": GITLAB,
    "kubernetes": KUBERNETES,
    "own": OWN,
}

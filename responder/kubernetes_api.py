"""Lists of a Kubernetes API, read page by page up to a limit; denials told with their remedy.

The rules of a list (limit, continue, 410) are those of kubernetes.io, docs, reference, using-api,
api-concepts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from responder.investigation.evidence import Status
from responder.remote import Answer, Remote, failed

PAGE_ITEMS = 250
CONCURRENT_LISTS = 4
_GROUPS = {
    "pods": "/api/v1",
    "events": "/api/v1",
    "nodes": "/api/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
}
_CODE = re.compile(r"answered (\d{3}): ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One list: its objects, how asking went, and what it lacks (empty when it is whole).

    `status` is that of the first page; what later pages lack is in `problem`.
    """

    resource: str
    namespace: str
    path: str
    status: Status
    items: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lists:
    """What asks one API server, a few lists at a time."""

    remote: Remote
    most: int
    limit: asyncio.Semaphore

    async def all_of(self, resource: str, namespace: str, **selectors: str) -> Listed:
        """Read a list of a namespace, or of all of them when it is empty; never raises."""
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        path = f"{_GROUPS[resource]}{within}/{resource}"
        items: list[Mapping[str, Any]] = []
        seconds, token = 0.0, ""
        while True:
            page = await self._page(path, token, selectors)
            seconds += page.seconds
            if page.status is not Status.OK:
                if items:
                    problem = f"only {len(items)} {resource} were read: {page.problem}"
                    break
                problem = denied(page.problem, resource, namespace)
                return Listed(
                    resource=resource,
                    namespace=namespace,
                    path=path,
                    status=page.status,
                    problem=problem,
                    seconds=seconds,
                )
            items += page.body["items"]
            token = page.body["continue"]
            is_cut = bool(token) or len(items) > self.most
            problem = f"only {self.most} {resource} were read" if is_cut else ""
            if not token or len(items) >= self.most:
                break
        return Listed(
            resource=resource,
            namespace=namespace,
            path=path,
            status=Status.OK,
            items=tuple(items[: self.most]),
            problem=problem,
            seconds=seconds,
        )

    async def _page(self, path: str, token: str, selectors: Mapping[str, str]) -> Answer:
        params = {"limit": str(min(PAGE_ITEMS, self.most)), **selectors}
        if token:
            params["continue"] = token
        async with self.limit:
            return _read(await self.remote.get(path, params))


def _read(answer: Answer) -> Answer:
    if answer.status is not Status.OK:
        return answer
    body = answer.body
    if not isinstance(body, dict) or not str(body.get("kind", "")).endswith("List"):
        return failed("the answer is no list of the Kubernetes API")
    items = body.get("items")
    metadata = body.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else ""
    found = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    # A page of nothing that promises more would be asked for until the deadline.
    more = token if isinstance(token, str) and found else ""
    return Answer(status=Status.OK, body={"items": found, "continue": more}, seconds=answer.seconds)


def denied(problem: str, resource: str, namespace: str) -> str:
    """Say what is to be done where the API refuses; anything else stays as it is."""
    found = _CODE.match(problem)
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    if resource == "nodes":
        where = "of the cluster"
    if found is not None and found[1] == "403":
        return (
            f"not allowed to list {resource} {where} (403); "
            f"grant `list` on {resource} to the account of this token"
        )
    if found is not None and found[1] == "401":
        return "the credentials are not accepted (401); give a valid token or certificate"
    return problem

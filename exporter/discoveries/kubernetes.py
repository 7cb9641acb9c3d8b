"""Targets that run in Kubernetes, by label: lists of its API, read page by page.

The rules of a list (limit, continue, 410) are those of kubernetes.io, docs, reference, using-api,
api-concepts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import orjson
from pydantic import Field, model_validator

from exporter.access import Auth, Proxy, Tls, Url
from exporter.asking import Ask, answer
from exporter.discovery import MOST_TARGETS, DiscoveryError, Document, Place, discoveries
from exporter.excerpt import clean
from exporter.kubernetes import RESOURCES, Group, Role, groups_of
from exporter.target import Exchange, Timeout
from exporter.transport import Transport

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_IN_CLUSTER = "https://kubernetes.default.svc"
_PAGE_ITEMS = 500
_PAGE_BYTES = 1 << 26
_MOST_PAGES = 1_000
_MOST_BEGINNINGS = 3
_LIST_SECONDS = 60.0
_GONE = 410


class _GoneError(Exception):
    """The list was not finished in the time that the server keeps it for."""


@discoveries.register("kubernetes")
class Kubernetes(Place):
    """Lists pods, services or KServe's inference services that carry some labels.

    Without an `api_server` it is that of the cluster this runs in, with the account of its pod,
    which needs the right to `list` what the role names.
    """

    api_server: Url | None = Field(None, description="the API's address, where not this cluster's")
    auth: Auth | None = Field(None, description="credentials")
    tls: Tls | None = Field(None, description="certificate verification")
    proxy: Proxy | None = Field(None, description="the way there, where it is not direct")
    role: Role = Field("pod", description="what is listed")
    namespaces: tuple[
        Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")], ...
    ] = Field((), max_length=100, description="where; in all of them when empty")
    selector: str = Field("", max_length=1_000, description="labels, as kubectl's -l has them")
    timeout: Timeout = Field(10.0, description="of one page")

    @model_validator(mode="before")
    @classmethod
    def _in_cluster(cls, data: Any) -> Any:
        """Take the account of the pod that this runs in, where no other server is named."""
        if not isinstance(data, dict) or "api_server" in data:
            return data
        return {
            "api_server": _IN_CLUSTER,
            "auth": {"bearer": {"file": str(_ACCOUNT / "token")}},
            "tls": {"ca_file": str(_ACCOUNT / "ca.crt")},
            **data,
        }

    async def documents(
        self, transport: Transport, before: Mapping[str, Document]
    ) -> Sequence[Document]:
        """List each namespace to its end."""
        del before
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                return [await self._namespace(transport, each) for each in self.namespaces or ("",)]
        except TimeoutError:
            raise DiscoveryError(f"not listed within {_LIST_SECONDS:g} s") from None

    async def _namespace(self, transport: Transport, namespace: str) -> Document:
        root, resource = RESOURCES[self.role]
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        path = f"{root}{within}/{resource}"
        for _ in range(_MOST_BEGINNINGS):
            try:
                return Document(origin=path, groups=await self._list(transport, path))
            except _GoneError:
                continue  # what has been read so far is of another moment than the rest would be
        raise DiscoveryError(f"{path}: gone before it was read, {_MOST_BEGINNINGS} times")

    async def _list(self, transport: Transport, path: str) -> Sequence[Group]:
        """Read all pages of one list; raises _GoneError when it has to be begun again."""
        groups: list[Group] = []
        token = ""
        for _ in range(_MOST_PAGES):
            page = await self._page(transport, path, token)
            groups += self._groups(page.get("items"), path)
            if len(groups) > MOST_TARGETS:
                raise DiscoveryError(f"{path}: over {MOST_TARGETS} targets; select fewer")
            metadata = page.get("metadata")
            token = metadata.get("continue") or "" if isinstance(metadata, dict) else ""
            if not isinstance(token, str):
                raise DiscoveryError(f"{path}: the answer is no list of the Kubernetes API")
            if not token:
                return groups
        raise DiscoveryError(f"{path}: over {_MOST_PAGES} pages")

    def _groups(self, items: Any, path: str) -> Iterator[Group]:
        if items is None:
            return  # an empty list of Go's
        if not isinstance(items, list):
            raise DiscoveryError(f"{path}: the answer is no list of the Kubernetes API")
        for item in items:
            yield from groups_of(self.role, item)

    async def _page(self, transport: Transport, path: str, token: str) -> Mapping[str, Any]:
        query = {"limit": str(_PAGE_ITEMS)}
        query |= {"labelSelector": self.selector} if self.selector else {}
        query |= {"continue": token} if token else {}
        url = f"{(self.api_server or '').rstrip('/')}{path}?{urlencode(query)}"
        ask = Ask(
            auth=self.auth,
            tls=self.tls,
            proxy=self.proxy,
            timeout_seconds=self.timeout,
            limit_bytes=_PAGE_BYTES,
        )
        exchange = await answer(transport, url, ask)
        if exchange.status == _GONE and token:
            raise _GoneError
        parsed = await asyncio.to_thread(_parsed, exchange)
        if exchange.status != 200 or parsed is None:
            raise DiscoveryError(f"{path}: status {exchange.status}{_told(parsed)}")
        if not str(parsed.get("kind", "")).endswith("List"):
            raise DiscoveryError(f"{path}: the answer is no list of the Kubernetes API")
        return parsed


def _parsed(exchange: Exchange) -> Mapping[str, Any] | None:
    try:
        data = orjson.loads(exchange.body)
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None


def _told(status: Mapping[str, Any] | None) -> str:
    """Return what a Status object says, which names the right that is missing."""
    message = (status or {}).get("message")
    return f" ({clean(message, 200)})" if isinstance(message, str) and message else ""

"""What the cluster says: pods, how containers ended, rollouts, warnings, nodes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from pydantic import Field, model_validator

from responder import kubeconfig
from responder.access import Access, AccessError
from responder.cluster_evidence import Around, evidence_of
from responder.guard import line, mask_secrets
from responder.investigation.evidence import Evidence, Status
from responder.kubernetes_api import CONCURRENT_LISTS, Listed, Lists
from responder.remote import Remote
from responder.source import Finding, Question, sources
from toolkit.problem import fault
from toolkit.settings import ConfigPath, Duration

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_IN_CLUSTER = "https://kubernetes.default.svc"

Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
LabelName = Annotated[str, Field(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


@sources.register("kubernetes")
class KubernetesSource(Access):
    """A cluster, by its API; without an address, the one this runs in, as its pod's account.

    The account needs the right to `list` pods, events, deployments and replicasets, and nodes.
    """

    url: Annotated[str, Field(pattern=r"^https?://")] | None = Field(
        None, description="its API's address, where not this cluster's"
    )
    kubeconfig: ConfigPath | None = Field(None, description="address and credentials in its stead")
    context: str | None = Field(None, description="of the kubeconfig, where not its current one")
    namespaces: tuple[Namespace, ...] = Field(
        (), max_length=50, description="where; in all of them when empty"
    )
    component_labels: tuple[LabelName, ...] = Field(
        ("app.kubernetes.io/name", "app"),
        min_length=1,
        max_length=10,
        description="the first of these labels that an object has names its component",
    )
    nodes: bool = Field(True, description="whether nodes are looked at, which all namespaces share")
    timeout: Duration = Field(8.0, gt=0, description="for the whole of its work")
    max_items: int = Field(2000, ge=1, le=50_000, description="read of one list")
    max_bytes: int = Field(16 << 20, ge=1024, description="of one page of a list")

    @model_validator(mode="before")
    @classmethod
    def _in_cluster(cls, data: Any) -> Any:
        """Take the account of the pod that this runs in, where no other server is named."""
        if not isinstance(data, dict) or {"url", "kubeconfig"} & data.keys():
            return data
        account = {"bearer": {"file": str(_ACCOUNT / "token")}}
        if {"bearer", "basic", "headers"} & data.keys():
            account = {}
        return {"tls": {"ca_file": str(_ACCOUNT / "ca.crt")}, **account, **data, "url": _IN_CLUSTER}

    @model_validator(mode="after")
    def _one_place(self) -> KubernetesSource:
        own = {"url", "bearer", "basic", "tls"} & self.model_fields_set
        if self.kubeconfig is not None and own:
            raise fault(f"kubeconfig beside {', '.join(sorted(own))}", "keep one of them")
        if self.context is not None and self.kubeconfig is None:
            raise fault("a context without a kubeconfig", "give kubeconfig too")
        return self

    async def gather(self, question: Question) -> Finding:
        """List what is there in the namespaces, and read it by component; never raises."""
        until = asyncio.get_running_loop().time() + min(self.timeout, question.deadline_seconds)
        try:
            remote = await self._remote(question.session, until)
        except AccessError as error:
            return Finding(evidence=[_no_access(question, str(error))])
        lists = Lists(remote=remote, most=self.max_items, limit=asyncio.Semaphore(CONCURRENT_LISTS))
        found = await self._list(lists)
        named = {v for each in question.incident.episodes for v in each.alert.labels.values()}
        around = Around(
            window=question.window, named=frozenset(named), labels=self.component_labels
        )
        return Finding(evidence=await asyncio.to_thread(evidence_of, found, around))

    async def _list(self, lists: Lists) -> list[Listed]:
        asked = []
        for namespace in self.namespaces or ("",):
            asked += [
                lists.all_of(resource, namespace)
                for resource in ("pods", "deployments", "replicasets")
            ]
            asked.append(lists.all_of("events", namespace, fieldSelector="type!=Normal"))
        if self.nodes:
            asked.append(lists.all_of("nodes", ""))
        return list(await asyncio.gather(*asked))

    async def _remote(self, session: aiohttp.ClientSession, until: float) -> Remote:
        if self.kubeconfig is None:
            return await self.remote(
                self.url or _IN_CLUSTER, session, until=until, limit_bytes=self.max_bytes
            )
        found = await asyncio.to_thread(kubeconfig.read, self.kubeconfig, self.context)
        token = {"Authorization": f"Bearer {found.token}"} if found.token else {}
        return Remote(
            url=found.url,
            session=session,
            until=until,
            limit_bytes=self.max_bytes,
            headers={**self.headers, **token},
            tls=found.tls,
        )


def _no_access(question: Question, problem: str) -> Evidence:
    return Evidence(
        id="",
        source="kubernetes",
        title="the cluster",
        query="pods, deployments, replicasets, events, nodes",
        window=question.window,
        status=Status.UNAVAILABLE,
        facts={"origin": "kubernetes"},
        detail=mask_secrets(line(problem, 300)),
    )

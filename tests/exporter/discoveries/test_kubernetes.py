"""Targets out of Kubernetes: pages, rights, expired lists, and what objects become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter import config
from exporter.access import Auth
from exporter.discoveries.kubernetes import Kubernetes
from exporter.discovery import DiscoveryError
from exporter.kubernetes import groups_of
from exporter.listing import read
from exporter.probes.openai_chat import OpenAIChat
from exporter.transport import open_transport
from tests.exporter.discoveries.cluster import TOKEN, Cluster, pod
from toolkit.problem import ConfigError
from toolkit.secrets import Secret

_META = "__meta_kubernetes_"


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an application; yield its address."""
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def found(address: str, token: str = TOKEN, **given: Any) -> list[str]:
    """Ask as the exporter does; return the addresses."""
    place = Kubernetes(
        name="pods",
        api_server=address,
        auth=Auth(bearer=Secret(place="test", value=token)),
        template=OpenAIChat(model="m"),
        **given,
    )
    async with open_transport() as transport:
        documents = await place.documents(transport, {})
    return [target.name or "" for target in read(documents, place).targets]


async def test_pods_are_listed_page_by_page() -> None:
    """A list of 1,201 pods takes three pages of one moment, each but the first by its token."""
    cluster = Cluster()
    cluster.objects["pods"] = [pod(f"p{n}", f"10.0.{n // 250}.{n % 250}") for n in range(1_201)]
    async with serving(cluster.application()) as address:
        assert len(await found(address)) == 1_201
    assert [each.get("limit") for each in cluster.asked] == ["500"] * 3
    assert ["continue" in each for each in cluster.asked] == [False, True, True]


async def test_an_expired_list_is_begun_again() -> None:
    """After 410 nothing of the list before is kept: its pages are of another moment."""
    cluster = Cluster()
    cluster.objects["pods"] = [pod(f"p{n}", f"10.0.{n // 250}.{n % 250}") for n in range(600)]
    cluster.expire_after_pages = 1
    async with serving(cluster.application()) as address:
        assert len(await found(address)) == 600
    assert ["continue" in each for each in cluster.asked] == [False, True, False, True]


async def test_a_list_that_expires_each_time_is_given_up() -> None:
    """After three beginnings; the targets before hold."""
    cluster = Cluster()
    cluster.objects["pods"] = [pod(f"p{n}") for n in range(600)]
    page = cluster._list

    def expired(request: web.Request) -> dict[str, Any]:
        told = page(request)
        cluster.compact()
        return told

    cluster._list = expired  # type: ignore[method-assign]
    async with serving(cluster.application()) as address:
        with pytest.raises(DiscoveryError, match="gone before it was read, 3 times"):
            await found(address)
    assert len(cluster.asked) == 6


async def test_selector_and_namespaces_choose() -> None:
    """The server applies the selector; each namespace is a list of its own."""
    cluster = Cluster()
    cluster.rights = {("pods", "ml"), ("pods", "web")}
    cluster.objects["pods"] = [
        pod("a", "10.0.0.1", labels={"app": "vllm", "tier": "gold"}),
        pod("b", "10.0.0.2", labels={"app": "vllm"}),
        pod("c", "10.0.0.3", "web", labels={"app": "tgi", "tier": "gold"}),
        pod("d", "10.0.0.4", "other", labels={"tier": "gold"}),
    ]
    async with serving(cluster.application()) as address:
        names = await found(
            address, namespaces=("ml", "web"), selector="app in (vllm,tgi),tier!=silver,tier"
        )
    assert names == ["10.0.0.1:8000", "10.0.0.3:8000"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"token": "wrong"}, "status 401 (Unauthorized)"),
        ({"role": "service"}, "cannot list resource"),
        ({"namespaces": ("ml",), "role": "service"}, 'in the namespace "ml"'),
        ({"selector": "app in vllm"}, "status 400 (unable to parse requirement"),
    ],
)
async def test_what_the_server_refuses_is_said(given: dict[str, Any], said: str) -> None:
    """In the server's own words, which name the right that is missing."""
    async with serving(Cluster().application()) as address:
        with pytest.raises(DiscoveryError) as refused:
            await found(address, **given)
    assert said in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "status 200"),
        (200, b"[]", "status 200"),
        (200, b'{"kind": "Pod"}', "no list"),
        (200, b'{"kind": "PodList", "items": 3}', "no list"),
        (200, b'{"kind": "PodList", "items": [], "metadata": {"continue": 3}}', "no list"),
        (410, b'{"kind": "Status", "message": "too old"}', "status 410 (too old)"),
        (429, b"{}", "status 429"),
        (502, b'{"message": "\\u001b[31mbad\\u0007"}', "status 502 (bad)"),
    ],
)
async def test_what_is_no_list_is_a_failure(status: int, body: bytes, said: str) -> None:
    """So the targets before hold; what the far end says is cleaned."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_get("/api/v1/pods", answer)
    async with serving(app) as address:
        with pytest.raises(DiscoveryError) as refused:
            await found(address)
    assert said in str(refused.value)


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    """With the transport's own words."""
    with pytest.raises(DiscoveryError, match="not connected"):
        await found("http://127.0.0.1:1")


def test_a_pod_is_labelled_as_prometheus_labels_it() -> None:
    """One group for each port, with what relabelling rules are written for."""
    (group,) = groups_of("pod", pod("p", labels={"app.kubernetes.io/name": "vllm"}))
    assert group["targets"] == ["10.0.0.1:8000"]
    assert group["labels"] == {
        f"{_META}namespace": "ml",
        f"{_META}pod_name": "p",
        f"{_META}pod_label_app_kubernetes_io_name": "vllm",
        f"{_META}pod_labelpresent_app_kubernetes_io_name": "true",
        f"{_META}pod_annotation_vigie_model": "m",
        f"{_META}pod_annotationpresent_vigie_model": "true",
        f"{_META}pod_ip": "10.0.0.1",
        f"{_META}pod_phase": "Running",
        f"{_META}pod_ready": "true",
        f"{_META}pod_host_ip": "192.168.0.1",
        f"{_META}pod_node_name": "node-1",
        f"{_META}pod_uid": "uid-p",
        f"{_META}pod_controller_kind": "ReplicaSet",
        f"{_META}pod_controller_name": "rs",
        f"{_META}pod_container_name": "server",
        f"{_META}pod_container_image": "vllm/vllm-openai:v1",
        f"{_META}pod_container_init": "false",
        f"{_META}pod_container_port_name": "http",
        f"{_META}pod_container_port_number": "8000",
        f"{_META}pod_container_port_protocol": "TCP",
    }


@pytest.mark.parametrize(
    ("item", "targets"),
    [
        (pod("p", ""), []),
        (pod("p", phase="Succeeded"), []),
        (pod("p", "fd00::1"), ["[fd00::1]:8000"]),
        (pod("p", ports=[]), ["10.0.0.1"]),
        (pod("p", "h", ports=[{"containerPort": 1}, {"containerPort": 2}]), ["h:1", "h:2"]),
        ({}, []),
        ({"status": {"podIP": 3, "phase": []}, "spec": {"containers": [1, {"ports": 2}]}}, ["3"]),
        ("no object", []),
    ],
)  # fmt: skip
def test_pods_have_addresses_or_are_left_out(item: Any, targets: list[str]) -> None:
    """One that has ended, or has no address yet, is no target; nor is what is no pod."""
    assert [each for group in groups_of("pod", item) for each in group["targets"]] == targets


def test_services_and_inference_services_have_addresses() -> None:
    """A service by its name in the cluster, KServe's by the url in its status."""
    service = {
        "metadata": {"name": "s", "namespace": "ml", "labels": {"a": "b"}},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.1.1.1",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
    }
    (group,) = groups_of("service", service)
    assert group["targets"] == ["s.ml.svc:80"]
    assert group["labels"][f"{_META}service_cluster_ip"] == "10.1.1.1"
    assert group["labels"][f"{_META}service_port_name"] == "http"
    inference = {
        "metadata": {"name": "fraud", "namespace": "ml"},
        "status": {
            "url": "http://fraud.ml.example/",
            "conditions": [{"type": "Ready", "status": "False"}],
        },
    }
    (group,) = groups_of("inferenceservice", inference)
    assert group["targets"] == ["http://fraud.ml.example"]
    assert group["labels"][f"{_META}inferenceservice_ready"] == "false"
    assert list(groups_of("inferenceservice", {"status": {}})) == []


def test_outside_a_cluster_the_api_must_be_named(tmp_path: Path) -> None:
    """The account that a pod would have is not there: said when the configuration is read."""
    path = tmp_path / "exporter.yml"
    path.write_text("discovery:\n  - {kind: kubernetes, name: k, template: {kind: http}}\n")
    with pytest.raises(ConfigError) as refused:
        config.load(path, environ={})
    assert "/var/run/secrets/kubernetes.io/serviceaccount/token: cannot be read" in str(
        refused.value
    )

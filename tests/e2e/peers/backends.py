"""What the responder's sources ask, started for real: Loki, and a Kubernetes API over etcd."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.stack.catalogue import Flavour
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.progress import Progress
from lab.stack.provide import provide
from tests.e2e.peers.servers import port_of
from tests.toolkit.authority import Authority

ADMIN, NOBODY = "admin-only-for-the-tests", "nobody-only-for-the-tests"
"""Tokens of an account that may do everything, and of one that may do nothing."""


def program(name: str, flavour: Flavour, cache: Path) -> Path:
    """Return a program, got once: unpacked from Debian's package, or built with Go.

    PATH's are not asked: programs of other kinds bear the same names.
    """
    progress = Progress(sys.stderr)
    found = provide((name,), flavour=flavour, root=cache, environ=os.environ, progress=progress)
    return found[name].path


def loki(cache: Path, folder: Path) -> tuple[Process, str]:
    """Return Loki as one process that wants a tenant, and its address."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("http", "grpc"))
    data = folder / "data"
    settings = {
        "auth_enabled": True,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": int(port_of(addresses["http"])),
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": int(port_of(addresses["grpc"])),
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(data),
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {
                "filesystem": {
                    "chunks_directory": str(data / "chunks"),
                    "rules_directory": str(data / "rules"),
                }
            },
        },
        # Else it waits a quarter of a minute for others to join.
        "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "analytics": {"reporting_enabled": False},
    }
    (folder / "loki.yml").write_text(yaml.safe_dump(settings))
    launch = Launch(
        name="loki",
        argv=(str(program("loki", "current", cache)), "-config.file=loki.yml"),
        folder=folder,
        log=folder / "loki.log",
        ready_url=f"http://{addresses['http']}/ready",
    )
    return Process(launch), f"http://{addresses['http']}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """A Kubernetes API: etcd starts first; `authority` signs for server and clients."""

    etcd: Process
    apiserver: Process
    url: str
    authority: Authority


def control_plane(cache: Path, folder: Path) -> ControlPlane:
    """Return etcd and kube-apiserver with tokens and RBAC; nothing runs pods there."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("client", "peer", "api"))
    authority = Authority(folder)
    signer = authority.sign("accounts")
    server = authority.sign("apiserver")
    rows = [f"{ADMIN},admin,1,system:masters", f"{NOBODY},nobody,2"]
    (folder / "tokens.csv").write_text("\n".join(rows) + "\n")
    argv = {
        "etcd-servers": f"http://{addresses['client']}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": port_of(addresses["api"]),
        "tls-cert-file": str(server.cert),
        "tls-private-key-file": str(server.key),
        "client-ca-file": str(authority.ca),
        "token-auth-file": str(folder / "tokens.csv"),
        "authorization-mode": "RBAC",
        "disable-admission-plugins": "ServiceAccount",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(signer.cert),
        "service-account-signing-key-file": str(signer.key),
        "service-cluster-ip-range": "10.0.0.0/24",
        "cert-dir": str(folder / "certs"),
    }
    url = f"https://{addresses['api']}"
    return ControlPlane(
        etcd=_etcd(cache, folder, addresses["client"], addresses["peer"]),
        apiserver=Process(
            Launch(
                name="kube-apiserver",
                argv=(
                    str(program("kube-apiserver", "current", cache)),
                    *(f"--{name}={value}" for name, value in argv.items()),
                ),
                folder=folder,
                log=folder / "kube-apiserver.log",
                ready_url=f"{url}/readyz",
                tls=authority.client(),
            )
        ),
        url=url,
        authority=authority,
    )


def _etcd(cache: Path, folder: Path, client: str, peer: str) -> Process:
    argv = {
        "name": "one",
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": f"http://{client}",
        "advertise-client-urls": f"http://{client}",
        "listen-peer-urls": f"http://{peer}",
        "initial-advertise-peer-urls": f"http://{peer}",
        "initial-cluster": f"one=http://{peer}",
    }
    return Process(
        Launch(
            name="etcd",
            argv=(
                str(program("etcd", "debian", cache)),
                *(f"--{name}={value}" for name, value in argv.items()),
                "--unsafe-no-fsync",
            ),
            folder=folder,
            log=folder / "etcd.log",
            ready_url=f"http://{client}/health",
        )
    )

"""A kubeconfig's server, certificates and credentials, as kubectl would take them.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Plug-ins that run a program
(`exec`, `auth-provider`) are refused: a source runs nothing.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from responder.access import AccessError

LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where one context leads, and with what."""

    url: str
    token: str
    tls: ssl.SSLContext


def read(path: Path, context: str | None) -> Cluster:
    """Read one context, the current one when none is named; raises AccessError."""
    try:
        with path.open("rb") as file:
            data = yaml.safe_load(file.read(LARGEST_BYTES))
        return _cluster(data, path.parent, context)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        # The file holds secrets, and so may the error: its kind is all that is told.
        what = _problem(error)
        raise AccessError(f"kubeconfig {path}: {what}; correct the file") from None


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]}"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return str(error) if type(error) is ValueError else f"not readable ({type(error).__name__})"


def _cluster(data: Any, folder: Path, wanted: str | None) -> Cluster:
    name = wanted or data["current-context"]
    context = _named(data, "contexts", name)["context"]
    cluster = _named(data, "clusters", context["cluster"])["cluster"]
    user = _named(data, "users", context["user"])["user"] if context.get("user") else {}
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            raise ValueError(f"its user needs {plugin}, which is not run here; give a token")
    if cluster.get("insecure-skip-tls-verify"):
        raise ValueError("it skips the verification of the server; give certificate-authority")
    return Cluster(
        url=str(cluster["server"]), token=_token(user, folder), tls=_tls(cluster, user, folder)
    )


def _named(data: Mapping[str, Any], part: str, name: str) -> Mapping[str, Any]:
    found = next((each for each in data[part] or () if each["name"] == name), None)
    if found is None:
        raise KeyError(f"{name!r} among its {part}")
    return dict(found)


def _token(user: Mapping[str, Any], folder: Path) -> str:
    if "tokenFile" in user:
        path = folder / str(user["tokenFile"])
        return path.read_text(encoding="utf-8").strip()
    return str(user.get("token", ""))


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _pem(cluster, "certificate-authority", folder)
    made = ssl.create_default_context(cadata=authority.decode() if authority else None)
    certificate = _pem(user, "client-certificate", folder)
    if certificate:
        key = _pem(user, "client-key", folder)
        # OpenSSL takes a chain from a file only.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            made.load_cert_chain(file.name, password="")
    return made


def _pem(part: Mapping[str, Any], name: str, folder: Path) -> bytes:
    """Return what a field holds itself (`-data`) or the file that it names; empty for neither."""
    if f"{name}-data" in part:
        try:
            return base64.b64decode(part[f"{name}-data"], validate=True)
        except binascii.Error:
            raise ValueError(f"{name}-data is not base64") from None
    return (folder / part[name]).read_bytes() if name in part else b""

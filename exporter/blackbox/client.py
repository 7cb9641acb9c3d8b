"""How a module connects and who it says it is: tls_config, credentials, headers, proxies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from exporter.blackbox.fields import Fields
from exporter.headers import confidential

Written = dict[str, Any]

_PROXY: Final = {
    "proxy_from_environment": "no proxy is taken from the environment; give proxy_url",
    "proxy_connect_header": "a proxy is sent no header but that of basic credentials",
}
_TLS_REFUSED: Final = {
    "ca": "certificates in the file itself are not read; put them in a file and give ca_file",
    "ca_ref": "there is no secret manager; give ca_file",
    "cert": "certificates in the file itself are not read; give cert_file",
    "cert_ref": "there is no secret manager; give cert_file",
    "key": "keys in the file itself are not read; give key_file",
    "key_ref": "there is no secret manager; give key_file",
    "min_version": "versions of TLS are not bounded; the Python in use decides",
    "max_version": "versions of TLS are not bounded; the Python in use decides",
}
_TLS: Final = {
    "ca_file": "ca_file",
    "server_name": "server_name",
    "cert_file": "client_cert_file",
    "key_file": "client_key_file",
}
_OURS: Final = frozenset({"content-length", "transfer-encoding"})


def tls(fields: Fields) -> Written:
    """Read a `tls_config`."""
    fields.refuse_if_set(_TLS_REFUSED)
    fields.note_if_set(
        {"insecure_skip_verify": "certificates are always verified; give the ca_file to trust"}
    )
    found = {ours: fields.text(theirs) for theirs, ours in _TLS.items()}
    fields.end()
    return {name: value for name, value in found.items() if value}


def address_family(fields: Fields) -> Written:
    """Read the two fields on IPv4 and IPv6: a mere preference is none of ours, both are tried."""
    preferred = fields.text("preferred_ip_protocol")
    if fields.take("ip_protocol_fallback") is False:
        return {"ip_version": 4 if preferred == "ip4" else 6}
    if preferred:
        fields.note("preferred_ip_protocol", "both are tried, in the resolver's order")
    return {}


def proxy(fields: Fields) -> Written:
    """Read what is set about proxies."""
    fields.refuse_if_set(_PROXY)
    if "proxy_url" not in fields.names():
        unused = ("no_proxy", "skip_resolve_phase_with_proxy")
        fields.note_if_set(dict.fromkeys(unused, "no proxy is used"))
        return {}
    url, exempt = fields.text("proxy_url"), fields.take("no_proxy")
    resolved_there = fields.take("skip_resolve_phase_with_proxy")
    if exempt:
        fields.refuse("no_proxy", "all requests of a module go through its proxy")
    if not resolved_there:
        fields.note("proxy_url", "the proxy resolves the target's name, as it is given it")
    return _through(fields, url)


def _through(fields: Fields, url: str) -> Written:
    """Take the credentials out of a proxy's address."""
    scheme, _, rest = url.partition("://")
    known, at, place = rest.rpartition("@")
    if scheme != "http":
        fields.refuse("proxy_url", "proxies are spoken to in plain HTTP")
    if not at:
        return {"url": url}
    password = fields.findings.variable(f"{fields.place('proxy_url')}.password")
    user = unquote(known.partition(":")[0])
    return {"url": f"{scheme}://{place}", "auth": {"username": user, "password": password}}


def credentials(fields: Fields) -> Written:
    """Read basic_auth, authorization and the two older fields for a token."""
    ways = [_basic(fields), _authorization(fields), _bearer(fields)]
    fields.refuse_if_set({"oauth2": "tokens of OAuth 2 are not asked for"})
    found = [way for way in ways if way]
    if len(found) > 1:
        fields.refuse("", "has two ways to say who is asking")
    return found[0] if found else {}


def _basic(fields: Fields) -> Written:
    if "basic_auth" not in fields.names():
        return {}
    inner = fields.inner("basic_auth")
    inner.refuse_if_set(
        {
            "username_file": "the user is not read from a file; give username",
            "username_ref": "there is no secret manager; give username",
            "password_ref": "there is no secret manager; give password_file",
        }
    )
    user = inner.text("username")
    password = _secret(inner, "password", "password_file")
    inner.end()
    return {"basic": {"username": user, "password": password}}


def _authorization(fields: Fields) -> Written:
    if "authorization" not in fields.names():
        return {}
    inner = fields.inner("authorization")
    kind = inner.text("type")
    if kind.lower() not in {"", "bearer"}:
        inner.refuse("type", "only Bearer is sent")
    inner.refuse_if_set({"credentials_ref": "there is no secret manager; give credentials_file"})
    token = _secret(inner, "credentials", "credentials_file")
    inner.end()
    return {"bearer": token}


def _bearer(fields: Fields) -> Written:
    if not {"bearer_token", "bearer_token_file"} & set(fields.names()):
        return {}
    return {"bearer": _secret(fields, "bearer_token", "bearer_token_file")}


def _secret(fields: Fields, name: str, name_of_file: str) -> Mapping[str, str]:
    written, file = fields.text(name), fields.text(name_of_file)
    if file:
        return {"file": file}
    if not written:
        fields.refuse(name, "is empty")
    return fields.findings.variable(fields.place(name))


def headers(fields: Fields) -> tuple[dict[str, Any], Written]:
    """Read `headers` and `http_headers`; return ours, and what of them is a setting of its own."""
    plain = fields.inner("headers")
    written = {name: plain.text(name) for name in plain.names()}
    given: dict[str, Any] = {**written, **_http_headers(fields)}
    settings: Written = {}
    for name in list(given):
        if name.lower() == "host":
            settings["hostname"] = given.pop(name)
        elif name.lower() == "authorization":
            settings["auth"] = _told(plain, name, given.pop(name))
        elif name.lower() in _OURS:
            plain.note(name, "is set by the program")
            del given[name]
    for name, value in confidential(given).items():
        if isinstance(value, str):
            given[name] = fields.findings.variable(f"headers.{name}")
    return given, settings


def _http_headers(fields: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {}
    outer = fields.inner("http_headers")
    for name in outer.names():
        inner = outer.inner(name)
        values = [str(value) for value in inner.items("values")]
        secrets, files = inner.items("secrets"), inner.items("files")
        inner.end()
        if len(values) + len(secrets) + len(files) != 1:
            outer.refuse(name, "a header has one value here")
        elif files:
            found[name] = {"file": str(files[0])}
        elif secrets:
            found[name] = fields.findings.variable(f"http_headers.{name}")
        else:
            found[name] = values[0]
    return found


def _told(fields: Fields, name: str, value: Any) -> Written:
    """Read an Authorization header as the credentials that it holds."""
    scheme, _, rest = str(value).partition(" ")
    if isinstance(value, str) and scheme.lower() == "bearer" and rest:
        return {"bearer": fields.findings.variable(fields.place(name))}
    user = _user(rest) if isinstance(value, str) and scheme.lower() == "basic" else ""
    if not user:
        fields.refuse(name, "only Bearer and Basic are sent")
        return {}
    password = fields.findings.variable(f"{fields.place(name)}.password")
    return {"basic": {"username": user, "password": password}}


def _user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""

"""Modules of blackbox_exporter's probers http and tcp, read as probe modules of ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from exporter.blackbox import client
from exporter.blackbox.client import Written
from exporter.blackbox.fields import Fields

_LEAST_BYTES: Final = 1 << 10
_MOST_BYTES: Final = 1 << 26
_SPOKEN: Final = ("HTTP/1.0", "HTTP/1.1")
_SIZE: Final = re.compile(r"(\d+)(?:([KMGT])i?)?B?", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"\$(\w|\{)")
_SEARCHED: Final = "patterns are searched for in the first 8192 characters only"
_CEL: Final = "expressions of CEL are not evaluated; write a check json_schema"
_CONNECTION: Final = {
    "enable_http3": "HTTP/1.1 is spoken",
    "fail_if_body_json_matches_cel": _CEL,
    "fail_if_body_json_not_matches_cel": _CEL,
}


def http(fields: Fields) -> Written:
    """Read a module's `http`."""
    headers, settings = client.headers(fields)
    compression = _compression(fields, headers)
    fields.refuse_if_set(_CONNECTION)
    if fields.take("enable_http2"):
        fields.note("enable_http2", "HTTP/1.1 is spoken")
    written: Written = {
        "method": fields.text("method").upper(),
        "headers": headers,
        "compression": compression,
        "body": _body(fields),
        "valid_status": fields.items("valid_status_codes"),
        "valid_http_versions": _versions(fields),
        "encryption": _encryption(fields),
        "follow_redirects": _follows(fields),
        "response_limit_bytes": _limit(fields),
        "proxy": client.proxy(fields),
        "auth": client.credentials(fields),
        "tls": client.tls(fields.inner("tls_config")),
        "checks": [*_body_checks(fields), *_header_checks(fields)],
        **client.address_family(fields),
    }
    if written["auth"] and "auth" in settings:
        fields.refuse("headers.Authorization", "is a second way to say who is asking")
    fields.end()
    return {**written, **settings}


def _compression(fields: Fields, headers: Written) -> str | None:
    """Read what is expected; our kind asks for it by itself."""
    wanted = fields.text("compression").lower()
    if wanted in {"", "identity"}:
        return None
    if wanted != "gzip":
        fields.refuse("compression", "only gzip is expected")
    for name in [name for name in headers if name.lower() == "accept-encoding"]:
        del headers[name]
    return wanted


def _body(fields: Fields) -> str:
    body, file = fields.text("body"), fields.text("body_file")
    if not file:
        return body
    try:
        read = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        fields.refuse("body_file", "cannot be read here as text; write it in body")
        return ""
    fields.note("body_file", "was copied; it is not read again when it changes")
    return read


def _versions(fields: Fields) -> list[str]:
    given = [str(version) for version in fields.items("valid_http_versions")]
    spoken = [version for version in given if version in _SPOKEN]
    if given and not spoken:
        fields.refuse("valid_http_versions", "HTTP/1.1 is spoken")
    return spoken


def _encryption(fields: Fields) -> str | None:
    required, refused = fields.take("fail_if_not_ssl"), fields.take("fail_if_ssl")
    if required and refused:
        fields.refuse("fail_if_ssl", "contradicts fail_if_not_ssl")
    return "required" if required else "refused" if refused else None


def _follows(fields: Fields) -> bool:
    old, new = fields.take("no_follow_redirects"), fields.take("follow_redirects")
    return not old if old is not None else new is not False


def _limit(fields: Fields) -> int | None:
    text = fields.text("body_size_limit")
    if text in {"", "0", "0B"}:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        fields.refuse("body_size_limit", "is no size")
        return None
    given = int(found[1]) << 10 * " KMGT".index((found[2] or " ").upper())
    kept = min(max(given, _LEAST_BYTES), _MOST_BYTES)
    if kept != given:
        fields.note("body_size_limit", f"{kept} bytes; limits are 1 KiB to 64 MiB")
    return kept


def _body_checks(fields: Fields) -> list[Written]:
    wanted = fields.items("fail_if_body_not_matches_regexp")
    unwanted = fields.items("fail_if_body_matches_regexp")
    if wanted:
        fields.note("fail_if_body_not_matches_regexp", _SEARCHED)
    if unwanted:
        fields.note("fail_if_body_matches_regexp", _SEARCHED)
    return [
        *({"not_regex": str(pattern)} for pattern in unwanted),
        *({"regex": str(pattern)} for pattern in wanted),
    ]


def _header_checks(fields: Fields) -> list[Written]:
    found = []
    for name, matches in (("fail_if_header_matches", False), ("fail_if_header_not_matches", True)):
        for index, given in enumerate(fields.items(name)):
            inner = Fields(given, fields.place(f"{name}[{index}]"), fields.findings)
            check = {"name": inner.text("header"), "pattern": inner.text("regexp")}
            kept = {"matches": matches, "may_be_missing": bool(inner.take("allow_missing"))}
            inner.end()
            found.append({"header": {**check, **kept}})
    return found


def tcp(fields: Fields) -> Written:
    """Read a module's `tcp`."""
    fields.note_if_set({"source_ip_address": "the machine's routes decide it"})
    steps = [
        _step(Fields(given, fields.place(f"query_response[{index}]"), fields.findings))
        for index, given in enumerate(fields.items("query_response"))
    ]
    written = {
        "encrypted": bool(fields.take("tls")) or None,
        "query_response": [step for step in steps if step],
        "tls": client.tls(fields.inner("tls_config")),
        **client.address_family(fields),
    }
    fields.end()
    return written


def _step(fields: Fields) -> Written:
    sent = fields.text("send")
    expected = fields.text("expect")
    fields.refuse_if_set({"expect_bytes": "lines are awaited, no bytes without one"})
    fields.note_if_set({"labels": "there is no probe_expect_info"})
    if expected and _REFERENCE.search(sent):
        fields.refuse("send", "is sent as it is, without parts of the line that came")
    if sent.endswith("\n"):
        sent += "\n"  # blackbox_exporter adds one to what has one, our kind does not
    written: Written = {"expect": expected, "send": sent, "starttls": bool(fields.take("starttls"))}
    fields.end()
    return {name: value for name, value in written.items() if value}

"""Reads a blackbox_exporter configuration and gives ours, with what could not be carried over.

The settings are those of blackbox_exporter 0.28's CONFIGURATION.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from toolkit.problem import ConfigError, Problem

_MOST_BYTES = 4 << 20
_NOWHERE = "name-the-hosts.invalid"
_PROTOCOLS = frozenset({"preferred_ip_protocol", "ip_protocol_fallback"})
_OF_NO_MATTER = frozenset({"use_http2", "enable_http2", "enable_http3", "compression"})

Settings = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Migration:
    """Our configuration as far as there is one, and what is left to do by hand."""

    modules: dict[str, Settings] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Give it as YAML, the notes first."""
        notes = "".join(f"# {note}\n" for note in self.notes)
        return notes + yaml.safe_dump({"probe_modules": self.modules}, sort_keys=False)


def read(path: Path) -> Migration:
    """Read a file; raises ConfigError where it is no blackbox configuration."""
    try:
        with path.open("rb") as file:
            document = yaml.safe_load(file.read(_MOST_BYTES))
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})", "check it") from None
    except (yaml.YAMLError, RecursionError):
        raise _refused(path, "not YAML", "correct it") from None
    modules = document.get("modules") if isinstance(document, dict) else None
    if not isinstance(modules, dict):
        raise _refused(path, "no `modules`", "give a configuration of blackbox_exporter")
    return migrate(modules)


def _refused(path: Path, problem: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=str(path), path="", problem=problem, remedy=remedy)])


def migrate(modules: Mapping[str, Any]) -> Migration:
    """Carry over each module whose prober we have."""
    found = Migration()
    for name, module in modules.items():
        place = f"modules.{name}"
        prober = module.get("prober") if isinstance(module, dict) else None
        carry = _PROBERS.get(str(prober))
        if carry is None:
            found.notes.append(f"{place}: the prober {prober!r} has no kind here; left out")
            continue
        own = module.get(prober)
        settings = _Module(place=f"{place}.{prober}", given=own if isinstance(own, dict) else {})
        try:
            carry(settings)
        except (TypeError, ValueError, AttributeError):
            found.notes.append(f"{place}: not as blackbox_exporter has it; left out")
            continue
        timeout = {"timeout": module["timeout"]} if module.get("timeout") else {}
        found.modules[str(name)] = {**settings.made, **timeout, **settings.allowed()}
        found.notes += settings.notes
    return found


@dataclass(kw_only=True, slots=True)
class _Module:
    """One module while it is carried over."""

    place: str
    given: Mapping[str, Any]
    made: Settings = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_confidential: bool = False

    def note(self, name: str, why: str) -> None:
        self.notes.append(f"{self.place}.{name}: {why}")

    def allowed(self) -> Settings:
        """Give whom it may ask: anybody, as there, unless it holds a credential."""
        if not self.is_confidential:
            return {"allow_targets": ["*"]}
        self.note("allow_targets", "a module with credentials names the hosts that may have them")
        return {"allow_targets": [_NOWHERE]}

    def secret(self, name: str, given: Mapping[str, Any], key: str) -> Settings:
        """Give a secret's place: the file, or a variable to put it into. It is never copied."""
        self.is_confidential = True
        file = given.get(f"{key}_file")
        if file:
            return {"file": str(file)}
        variable = "VIGIE_" + "".join(c if c.isalnum() else "_" for c in self.place).upper()
        self.note(name, f"the secret stands in the file; put it into the variable {variable}")
        return {"env": variable}


def _http(module: _Module) -> None:
    module.made["kind"] = "http"
    module.made["follow_redirects"] = True  # as there, unless it says otherwise
    for name, value in module.given.items():
        if name in _OF_NO_MATTER:
            continue
        carry = _HTTP.get(name)
        if carry is None:
            module.note(name, "not carried over; there is no such setting here")
        else:
            carry(module, value)


def _same(name: str) -> Callable[[_Module, Any], None]:
    def carry(module: _Module, value: Any) -> None:
        module.made[name] = value

    return carry


def _statuses(module: _Module, value: Any) -> None:
    if value:
        module.made["valid_status"] = list(value)


def _headers(module: _Module, value: Any) -> None:
    kept: Settings = {}
    for name, text in dict(value or {}).items():
        if str(name).lower() == "host":
            module.note("headers.Host", "give it as &hostname= in the scrape configuration")
        elif str(name).lower() == "authorization":
            module.note("headers.Authorization", "credentials belong into `auth`; not carried over")
        else:
            kept[str(name)] = str(text)
    if kept:
        module.made["headers"] = kept


def _patterns(module: _Module, value: Any) -> None:
    checks = [{"regex": str(each)} for each in value or ()]
    module.made["checks"] = [*module.made.get("checks", ()), *checks]


def _basic(module: _Module, value: Any) -> None:
    password = module.secret("basic_auth.password", value, "password")
    basic = {"username": str(value.get("username", "")), "password": password}
    module.made["auth"] = {"basic": basic}


def _authorization(module: _Module, value: Any) -> None:
    if str(value.get("type", "Bearer")).lower() != "bearer":
        module.note("authorization.type", "only Bearer is sent here; not carried over")
        return
    module.made["auth"] = {"bearer": module.secret("authorization", value, "credentials")}


def _token(module: _Module, value: Any) -> None:
    del value
    module.made["auth"] = {"bearer": module.secret("bearer_token", module.given, "bearer_token")}


def _tls(module: _Module, value: Any) -> None:
    names = {
        "ca_file": "ca_file",
        "server_name": "server_name",
        "cert_file": "client_cert_file",
        "key_file": "client_key_file",
    }
    tls: Settings = {}
    for name, given in dict(value or {}).items():
        if name in names:
            tls[names[name]] = given
        elif name == "insecure_skip_verify" and given:
            module.note("tls_config.insecure_skip_verify", "never done here; give ca_file instead")
        elif name != "insecure_skip_verify":
            module.note(f"tls_config.{name}", "not carried over; there is no such setting here")
    if tls:
        module.made["tls"] = tls


def _proxy(module: _Module, value: Any) -> None:
    if str(value).startswith("http://") and "@" not in str(value):
        module.made["proxy"] = {"url": str(value)}
    else:
        module.note("proxy_url", "only http proxies, their credentials in proxy.auth; not carried")


def _protocol(module: _Module, value: Any) -> None:
    del value
    text = "not carried over; both families are tried, in the resolver's order"
    if not any("both families" in note for note in module.notes):
        module.note("preferred_ip_protocol", text)


def _limit(module: _Module, value: Any) -> None:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "B": 1}
    text = str(value).strip().upper()
    unit = next((each for each in ("KIB", "MIB", "KB", "MB", "GB", "B") if text.endswith(each)), "")
    number = text.removesuffix(unit).strip()
    if number.isdigit() and 1 << 10 <= int(number) * units.get(unit, 1) <= 1 << 26:
        module.made["response_limit_bytes"] = int(number) * units.get(unit, 1)
    elif number != "0":
        module.note("body_size_limit", "not a size between 1 KiB and 64 MiB; not carried over")


def _tcp(module: _Module) -> None:
    module.made["kind"] = "tcp"
    for name, value in module.given.items():
        if name == "query_response":
            module.made["query_response"] = list(_steps(module, value))
        elif name == "tls_config":
            _tls(module, value)
        elif name == "tls" and value:
            module.note("tls", "write tls:// before the target instead")
        elif name in _PROTOCOLS:
            _protocol(module, value)
        elif name != "tls":
            module.note(name, "not carried over; there is no such setting here")


def _steps(module: _Module, value: Any) -> Iterator[Settings]:
    for step in value or ():
        kept = {name: step[name] for name in ("expect", "send", "starttls") if step.get(name)}
        for name in step.keys() - {"expect", "send", "starttls"}:
            module.note(f"query_response.{name}", "not carried over")
        if kept:
            yield kept


_HTTP: Mapping[str, Callable[[_Module, Any], None]] = {
    "method": _same("method"),
    "body": _same("body"),
    "follow_redirects": _same("follow_redirects"),
    "valid_status_codes": _statuses,
    "headers": _headers,
    "fail_if_body_not_matches_regexp": _patterns,
    "basic_auth": _basic,
    "authorization": _authorization,
    "bearer_token": _token,
    "bearer_token_file": _token,
    "tls_config": _tls,
    "proxy_url": _proxy,
    "preferred_ip_protocol": _protocol,
    "ip_protocol_fallback": _protocol,
    "body_size_limit": _limit,
}
_PROBERS: Mapping[str, Callable[[_Module], None]] = {"http": _http, "tcp": _tcp}

"""Lists of target groups -> targets; an entry that cannot be one is named and left out.

Labels have Prometheus's meaning: `__address__` and `__scheme__` make the url, other names that
begin with `__` are gone after relabelling, the rest are the target's labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pydantic

from exporter.address import allows
from exporter.discovery import MOST_TARGETS, Discovery, DiscoveryError, Document
from exporter.excerpt import clean
from exporter.relabel import relabelled
from exporter.target import Native, Target

MOST_PROBLEMS = 100
_HIDDEN = "__"
_MODEL, _NAME, _PATH = "__vigie_model", "__vigie_name", "__vigie_path"
_NATIVE_URL = "__vigie_native_url"
_MOST_LABELS = 1_000
_LONGEST_VALUE = 8_192

_Labels = dict[str, str]
_Key = frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What lists came to: the targets, and why others of them are none.

    `refused` counts all that is none, `problems` names the first of them; `made` is what entries
    became, so that the same entry need not be read twice.
    """

    targets: tuple[Target, ...] = ()
    problems: tuple[str, ...] = ()
    refused: int = 0
    made: Mapping[_Key, Target | str | None] = field(default_factory=dict, repr=False)


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What one reading has come to so far."""

    place: Discovery
    known: Mapping[_Key, Target | str | None]
    targets: dict[str, Target] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    refused: int = 0
    made: dict[_Key, Target | str | None] = field(default_factory=dict)

    def refuse(self, problem: str) -> None:
        """Count an entry that is no target, and name it while there is room."""
        self.refused += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(clean(problem, 300))

    def take(self, labels: _Labels, origin: str) -> None:
        """Make one entry a target."""
        key = frozenset(labels.items())
        found = self.known[key] if key in self.known else _made(labels, self.place)
        self.made[key] = found
        if isinstance(found, str):
            shown = labels["__address__"].rpartition("@")[2]  # before it stand credentials
            self.refuse(f"{origin}: {shown[:100]!r}: {found}")
        elif found is not None:
            self._keep(found)

    def _keep(self, target: Target) -> None:
        name = target.name or ""
        if len(self.targets) >= MOST_TARGETS and name not in self.targets:
            self.refuse(f"{name!r}: over {MOST_TARGETS} targets")
        elif self.targets.setdefault(name, target) != target:
            self.refuse(f"{name!r} is there twice; the first counts")


def read(documents: Sequence[Document], place: Discovery, before: Listed | None = None) -> Listed:
    """Make targets of lists; entries that `before` had, of the same place, stay the same object."""
    reading = _Reading(place=place, known=before.made if before else {})
    for document in documents:
        for labels in _entries(document, reading):
            reading.take(labels, document.origin)
    return Listed(
        targets=tuple(reading.targets.values()),
        problems=tuple(reading.problems),
        refused=reading.refused,
        made=reading.made,
    )


def _entries(document: Document, reading: _Reading) -> Iterator[_Labels]:
    for index, group in enumerate(document.groups):
        where = f"{document.origin}: group {index}"
        try:
            addresses, own = _group(group)
        except DiscoveryError as error:
            reading.refuse(f"{where}: {error}")
            continue
        for address in addresses:
            if isinstance(address, str):
                yield {**document.labels, **own, "__address__": address[:_LONGEST_VALUE]}
            else:
                reading.refuse(f"{where}: a target that is no text; put it in quotes")


def _group(group: Any) -> tuple[Sequence[Any], _Labels]:
    """Read a group; DiscoveryError says why it is none."""
    addresses = group.get("targets") if isinstance(group, dict) else None
    if not isinstance(addresses, list):
        raise DiscoveryError("not of the form {targets: [...], labels: {...}}")
    labels = group.get("labels") or {}
    if not isinstance(labels, dict) or len(labels) > _MOST_LABELS:
        raise DiscoveryError(f"labels are no map of at most {_MOST_LABELS}")
    for name, value in labels.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise DiscoveryError(f"label {str(name)[:100]!r} is no text; put it in quotes")
        if len(value) > _LONGEST_VALUE:
            raise DiscoveryError(f"label {name[:100]!r} is longer than {_LONGEST_VALUE} characters")
    return addresses, dict(labels)


def _made(labels: _Labels, place: Discovery) -> Target | str | None:
    """Return the target of an entry, why it is none, or None where a rule leaves it out."""
    kept = relabelled(labels, place.relabel)
    if kept is None:
        return None
    try:
        return _target(kept, place)
    except ValueError as error:
        return _first(error)


def _target(labels: _Labels, place: Discovery) -> Target:
    template = place.template
    url = _url(labels)
    fields = {name: getattr(template, name) for name in template.model_fields_set}
    fields |= {
        "name": labels.get(_NAME) or _plain(labels.get("__address__", "")),
        "url": url,
        "labels": {**template.labels, **_visible(labels)},
    }
    if labels.get(_MODEL) and "model" in type(template).model_fields:
        fields["model"] = labels[_MODEL]
    native = _native(url, labels, place)
    if native is not None:
        fields["native"] = native
    target = type(template).model_validate(fields)
    _check_allowed(url, target)
    if labels.get(_NATIVE_URL) and native is not None and native.auth is not None:
        _check_allowed(native.url, target)
    return target


def _url(labels: _Labels) -> str:
    address = labels.get("__address__", "")
    if not address:
        raise ValueError("no address")
    if "://" in address:
        return address
    return f"{labels.get('__scheme__', 'http')}://{address}{labels.get(_PATH, '')}"


def _plain(address: str) -> str:
    """Make a name of an address: without its scheme and an IPv6 address's brackets."""
    text = address.partition("://")[2] or address
    return text.replace("[", "").replace("]", "").lstrip(":")


def _visible(labels: _Labels) -> _Labels:
    return {name: value for name, value in labels.items() if not name.startswith(_HIDDEN)}


def _native(url: str, labels: _Labels, place: Discovery) -> Native | None:
    """Return where the target's own metrics are, where the place or the template has any."""
    asked, given = place.native, place.template.native
    server = asked.server if asked else given.server if given else None
    if server is None:
        return None
    auth, tls = (given.auth, given.tls) if given else (None, None)
    if labels.get(_NATIVE_URL):
        return Native(url=labels[_NATIVE_URL], server=server, auth=auth, tls=tls)
    if asked is None:
        return None
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = asked.port or parts.port
    scheme = "https" if parts.scheme == "https" else "http"
    found = f"{scheme}://{host}{f':{port}' if port else ''}{asked.path}"
    return Native(url=found, server=server, auth=auth, tls=tls)


def _check_allowed(url: str, target: Target) -> None:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not any(allows(pattern, host, port) for pattern in target.allow_targets):
        raise ValueError("not among the template's allow_targets")


def _first(error: ValueError) -> str:
    if not isinstance(error, pydantic.ValidationError):
        return str(error)
    # A name that is made of the address is wrong because the address is.
    found = error.errors(include_url=False, include_input=False)
    details = next((each for each in found if each["loc"][:1] == ("url",)), found[0])
    said = str(details["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(str(part) for part in details['loc'])}: {said}"

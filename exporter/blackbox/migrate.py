"""blackbox.yml -> our configuration, and in plain lines what could not be carried over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.blackbox.client import Written
from exporter.blackbox.fields import Fields, Findings, milliseconds
from exporter.blackbox.modules import http, tcp
from exporter.config import File
from exporter.excerpt import clean
from toolkit import settings
from toolkit.problem import ConfigError, Problem

NOBODY: Final = "name-your-hosts.invalid"
"""Stands where hosts must be named by hand; no host has this name (RFC 2606)."""

_LONGEST_CHARACTERS: Final = 1 << 20
_LONGEST_NOTE: Final = 4000
_NO_TIMEOUT: Final = "2m"
_READERS: Final = {"http": http, "tcp": tcp}
_PROBERS: Final = ("http", "tcp", "icmp", "dns", "grpc", "unix", "websocket")
_ALL: Final = "all modules"
_DIFFERENCES: Final = (
    "redirects are followed five times at most, and never from https to http",
    "link-local and metadata addresses are refused unless allow_targets spells them",
    "an answer over response_limit_bytes (1 MiB where it is not set) is a failure",
    "HTTP/1.1 is spoken, whatever the server offers",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """Our configuration as YAML, what is to be told of it, and how many modules it holds.

    The notes stand at the head of the text, too, as comments.
    """

    text: str
    notes: tuple[str, ...]
    written: int
    left_out: int


def read(path: Path, *, allowed: Sequence[str] = ()) -> Migration:
    """Read a file as `migrate` does; raises ConfigError as well when it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(str(path), f"cannot be read ({type(error).__name__})", "check it") from None
    return migrate(text, str(path), allowed=allowed)


def migrate(text: str, name: str, *, allowed: Sequence[str] = ()) -> Migration:
    """Read a blackbox.yml; `allowed` are the hosts that the modules may ask, any when empty.

    Raises ConfigError when it is none.
    """
    modules: dict[str, Written] = {}
    notes: list[tuple[str, str]] = []
    left_out = 0
    for module, data in _modules(text, name).items():
        findings = Findings(module=str(module))
        written = _module(Fields(data, "", findings), allowed)
        findings.refused += [] if findings.refused else _refused(str(module), written)
        if findings.refused:
            left_out += 1
            notes += [(str(module), f"left out: {each}") for each in findings.refused]
            continue
        modules[str(module)] = written
        notes += [(str(module), each) for each in findings.notes]
    notes += [(_ALL, each) for each in _DIFFERENCES if modules]
    told = _together(notes)
    head = "".join(f"# {note}\n" for note in told)
    return Migration(
        text=head + _dump(modules), notes=told, written=len(modules), left_out=left_out
    )


def _together(notes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Make a line of each note, for all modules that it is on; whatever they are called."""
    modules: dict[str, list[str]] = {}
    for module, note in notes:
        modules.setdefault(note, []).append(module)
    lines = (f"{', '.join(each)}: {note}" for note, each in modules.items())
    return tuple(" ".join(clean(line, _LONGEST_NOTE).split()) for line in lines)


def _modules(text: str, name: str) -> Mapping[Any, Any]:
    if len(text) > _LONGEST_CHARACTERS:
        raise _wrong(name, "over 1 MiB", "split it")
    try:
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except RecursionError:
        raise _wrong(name, "nested too deep", "correct it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise _wrong(f"{name}{line}", "not YAML", "correct it there") from None
    modules = data.get("modules") if isinstance(data, Mapping) else None
    if not isinstance(modules, Mapping):
        raise _wrong(name, "no map of modules", "give blackbox_exporter's own configuration")
    return modules


def _wrong(place: str, problem: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=place, path="", problem=problem, remedy=remedy)])


def _module(fields: Fields, allowed: Sequence[str]) -> Written:
    prober = fields.text("prober")
    reader = _READERS.get(prober)
    if reader is None:
        known = "is asked by no kind here" if prober in _PROBERS else "is no prober"
        fields.refuse("prober", f"{prober or 'nothing'} {known}")
        return {}
    written = {"kind": prober, "timeout": _timeout(fields), **reader(fields.inner(prober))}
    for other in _PROBERS:
        if fields.take(other):
            fields.note(other, f"the prober is {prober}, which does not read it")
    fields.end()
    written = {name: value for name, value in written.items() if value not in (None, "", [], {})}
    return {**written, "allow_targets": _allowed(fields, written, allowed)}


def _timeout(fields: Fields) -> str:
    text = fields.text("timeout")
    read = milliseconds(text) if text not in {"", "0"} else 0
    if read is None:
        fields.refuse("timeout", "is no duration")
    if not read:
        return _NO_TIMEOUT
    return f"{read}ms" if read % 1000 else f"{read // 1000}s"


def _allowed(fields: Fields, written: Written, allowed: Sequence[str]) -> list[str]:
    if allowed:
        return list(allowed)
    secret = [name for name, value in _headers(written) if isinstance(value, Mapping)]
    if "auth" in written or secret:
        fields.note("allow_targets", f"credentials go to named hosts only; replace {NOBODY}")
        return [NOBODY]
    fields.note("allow_targets", "any host may be asked, as it was; better name yours")
    return ["*"]


def _headers(written: Written) -> Iterable[tuple[str, Any]]:
    headers: Mapping[str, Any] = written.get("headers", {})
    return headers.items()


def _refused(module: str, written: Written) -> list[str]:
    """Read what would be written as the program will; say what it does not take."""
    try:
        settings.parse(_dump({module: _assumed(written)}), module, File, environ=_Anything())
    except ConfigError as error:
        return [f"{problem.path}: {problem.problem}" for problem in error.problems]
    return []


def _assumed(value: Any) -> Any:
    """Take secrets of files as there: they may be on another machine."""
    if isinstance(value, Mapping):
        if set(value) == {"file"}:
            return {"env": "FILE"}
        return {name: _assumed(each) for name, each in value.items()}
    return [_assumed(each) for each in value] if isinstance(value, list) else value


class _Anything(Mapping[str, str]):
    """An environment where every variable is set: those of the secrets will be, later."""

    def __getitem__(self, name: str) -> str:
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _dump(modules: Mapping[str, Written]) -> str:
    return yaml.dump(
        {"probe_modules": dict(modules)},
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


class _Plain(yaml.SafeDumper):
    """Writes what stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

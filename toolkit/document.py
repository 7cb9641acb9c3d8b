"""YAML text -> plain data and the line of every path in it; all faults of form at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from toolkit.problem import ConfigError, Problem

Path = tuple[str | int, ...]

_CORE = "tag:yaml.org,2002:"
_MERGE = _CORE + "merge"
_ALIASED_NODES = 100_000
_DEEPEST = 100
_LONGEST_NUMBER = 400

_TRUE = ("true", "True", "TRUE")
_NULL = ("", "~", "null", "Null", "NULL")


class _Loader(yaml.CSafeLoader):
    """The core schema of YAML 1.2 (section 10.3): `no`, `12:30` and `2024-01-01` stay text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML declares it without ClassVar


_IMPLICIT = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        (
            r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
for _name, (_pattern, _first) in _IMPLICIT.items():
    _Loader.add_implicit_resolver(_CORE + _name, re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """Plain data (maps with text keys, lists, scalars) and the line of every path in it.

    `problems` are the faults that left the rest readable: duplicate keys, foreign tags.
    """

    name: str
    data: Any
    lines: Mapping[Path, int]
    problems: Sequence[Problem]

    def place(self, path: Path) -> str:
        """Give `file:line` of the longest part of *path* that the text has."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"

    def known(self, path: Sequence[str | int]) -> Path:
        """Drop from *path* the parts that the text has not: the names of a union's options."""
        seen: Path = ()
        for part in path:
            if (*seen, part) in self.lines:
                seen = (*seen, part)
        return seen


def dotted(path: Sequence[str | int]) -> str:
    """Write a path the way people do: `targets[0].auth.bearer`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read(text: str, name: str) -> Document:
    """Read one YAML document from *text*; *name* stands for the file in every problem.

    Raises ConfigError for what makes the rest unreadable: broken YAML, tabs, alias bombs.
    """
    root = _compose(text, name)
    if root is None:
        raise _refused(name, 1, "", "the file is empty", "write the settings as `key: value` lines")
    _check_aliases(root, name)
    builder = _Builder(name=name, lines={}, problems=[])
    data = builder.build(root, ())
    return Document(name=name, data=data, lines=builder.lines, problems=builder.problems)


def _refused(name: str, line: int, path: str, problem: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=f"{name}:{line}", path=path, problem=problem, remedy=remedy)])


def _line(mark: Any) -> int:
    line: int = mark.line + 1
    return line


def _compose(text: str, name: str) -> yaml.Node | None:
    _check_depth(text, name)
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _refused(name, line, "", *_explained(error, text, line)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise _refused(name, line, "", "a control character is in the text", "remove it") from None
    finally:
        if loader is not None:
            loader.dispose()


def _explained(error: yaml.MarkedYAMLError, text: str, line: int) -> tuple[str, str]:
    lines = text.splitlines()
    at = lines[line - 1] if line <= len(lines) else ""
    if "\t" in at[: len(at) - len(at.lstrip())] or "cannot start any token" in str(error.problem):
        if "\t" in at:
            return "a tab is used where YAML wants spaces", "indent with spaces"
        return "a value starts with a reserved character", "put the value in quotes"
    if "expected a single document" in str(error.context):
        return "a second document starts here", "keep one document and remove the `---`"
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    return f"not valid YAML: {what}", "check quotes, colons and indentation"


def _check_depth(text: str, name: str) -> None:
    """Refuse what would exhaust the stack: the composer calls itself once for each level."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEEPEST:
                problem = f"nested deeper than {_DEEPEST} levels"
                raise _refused(name, _line(event.start_mark), "", problem, "flatten it")
    except yaml.YAMLError:
        return  # the composer finds it again, with a mark


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_aliases(root: yaml.Node, name: str) -> None:
    """Refuse aliases that hold themselves, nest too deep, or add too much ("billion laughs")."""
    measured: dict[int, tuple[int, int]] = {}
    unfinished: set[int] = set()

    def measure(node: yaml.Node) -> tuple[int, int]:
        if id(node) in unfinished:
            line = _line(node.start_mark)
            raise _refused(name, line, "", "an alias holds itself", "write the value out")
        if id(node) not in measured:
            unfinished.add(id(node))
            inner = [measure(child) for child in _children(node)]
            unfinished.discard(id(node))
            depth = 1 + max((depth for _, depth in inner), default=0)
            measured[id(node)] = (1 + sum(size for size, _ in inner), depth)
        return measured[id(node)]

    size, depth = measure(root)
    if size > len(measured) + _ALIASED_NODES:
        problem = f"aliases add more than {_ALIASED_NODES} values"
        raise _refused(name, 1, "", problem, "write the values out")
    if depth > _DEEPEST + 1:
        raise _refused(name, 1, "", f"aliases nest deeper than {_DEEPEST} levels", "flatten it")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Builder:
    """Turns nodes into data, noting lines and problems on the way."""

    name: str
    lines: dict[Path, int]
    problems: list[Problem]

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, _line(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, "seq")
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._check_tag(node, path, "map")
        built: dict[str, Any] = {}
        for key_node, value_node in self._pairs(node, path):
            key = key_node.value
            self.lines[(*path, key)] = _line(key_node.start_mark)
            built[key] = self.build(value_node, (*path, key))
        return built

    def _pairs(self, node: yaml.MappingNode, path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for pair in self._merged(value, path):
                    merged.setdefault(pair[0].value, pair)
            elif self._is_text(key, path) and self._is_first(key, own, path):
                own[key.value] = (key, value)
        return [*own.values(), *(pair for key, pair in merged.items() if key not in own)]

    def _merged(self, node: yaml.Node, path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            return self._pairs(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [pair for item in node.value for pair in self._merged(item, path)]
        self._refuse(node, path, "`<<` merges a value that is no map", "merge a map")
        return []

    def _is_text(self, key: yaml.Node, path: Path) -> bool:
        if isinstance(key, yaml.ScalarNode) and key.tag == _CORE + "str":
            return True
        shown = f"the key {key.value!r}" if isinstance(key, yaml.ScalarNode) else "a key"
        self._refuse(key, path, f"{shown} is not text", "put the key in quotes")
        return False

    def _is_first(
        self, key: yaml.Node, own: Mapping[str, tuple[yaml.Node, yaml.Node]], path: Path
    ) -> bool:
        if key.value not in own:
            return True
        first = _line(own[key.value][0].start_mark)
        problem = f"set a second time (first on line {first})"
        self._refuse(key, (*path, key.value), problem, "keep one of the two")
        return False

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.removeprefix(_CORE)
        text = node.value
        if kind == "null" and text in _NULL:
            return None
        if kind == "bool" and re.fullmatch(_IMPLICIT["bool"][0], text):
            return text in _TRUE
        if kind in {"int", "float"} and re.fullmatch(_IMPLICIT[kind][0], text):
            return self._number(node, kind, path)
        if kind not in {"str", "merge"}:
            self._check_tag(node, path, "str")
        return text

    def _number(self, node: yaml.Node, kind: str, path: Path) -> int | float | None:
        if len(node.value) > _LONGEST_NUMBER:
            self._refuse(node, path, "the number is too long", "write fewer digits")
            return None
        if kind == "int":
            based = node.value.startswith(("0x", "0o"))
            return int(node.value, 0) if based else int(node.value)
        return float(re.sub(r"\.(inf|nan)$", r"\1", node.value.lower()))

    def _check_tag(self, node: yaml.Node, path: Path, wanted: str) -> None:
        if node.tag != _CORE + wanted:
            shown = node.tag.replace(_CORE, "!!")
            self._refuse(node, path, f"the tag {shown!r} is not allowed here", "remove it")

    def _refuse(self, node: yaml.Node, path: Path, problem: str, remedy: str) -> None:
        place = f"{self.name}:{_line(node.start_mark)}"
        self.problems.append(
            Problem(place=place, path=dotted(path), problem=problem, remedy=remedy)
        )

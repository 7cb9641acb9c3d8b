"""Strict settings from YAML: unknown keys refused, every fault at once, each with file and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import pydantic
from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from toolkit.document import Document, dotted, read
from toolkit.problem import ConfigError, Problem, fault

__all__ = [
    "ConfigError",
    "ConfigPath",
    "Duration",
    "Problem",
    "Settings",
    "fault",
    "load",
    "nearest",
    "parse",
    "seconds",
]

_LARGEST_FILE_BYTES = 16 * 1024 * 1024
_LONGEST_SHOWN = 40


def _strict(schema: Any) -> Any:
    if isinstance(schema, dict):
        built = {key: _strict(value) for key, value in schema.items()}
        if built.get("type") in {"int", "float", "bool"}:
            built.setdefault("strict", True)
        return built
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    return schema


class Settings(pydantic.BaseModel):
    """A map of a configuration file: frozen, nothing unknown, nothing coerced between types."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[pydantic.BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Refuse `"10"` and `true` where a number is wanted, and `1` where a truth value is."""
        strict: CoreSchema = _strict(handler(source))
        return strict

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _name_nearest(cls, data: Any, handler: pydantic.ModelWrapValidatorHandler[Self]) -> Self:
        """Tell with each unknown key the nearest right spelling."""
        try:
            return handler(data)
        except pydantic.ValidationError as error:
            known = [field.alias or name for name, field in cls.model_fields.items()]
            raise renamed(error, lambda details: _spelled(details, known)) from None


def _spelled(details: ErrorDetails, known: Iterable[str]) -> InitErrorDetails:
    if details["type"] == "extra_forbidden" and len(details["loc"]) == 1:
        problem = fault("unknown setting", nearest(str(details["loc"][0]), known))
        return InitErrorDetails(type=problem, loc=details["loc"], input=None)
    return kept(details)


def kept(details: ErrorDetails) -> InitErrorDetails:
    """Carry an error over into a new ValidationError as it was, without collections' content."""
    context = dict(details.get("ctx", {}))
    message = "{problem}; {remedy}" if details["type"] == "fault" else details["msg"]
    kind = PydanticCustomError(details["type"], message, context or None)
    return InitErrorDetails(type=kind, loc=details["loc"], input=_outline(details["input"]))


def _outline(value: object) -> object:
    """Keep of *value* what an error may need: a scalar, or which kind of collection it was."""
    if isinstance(value, dict | list):
        return type(value)()
    return value if isinstance(value, str | int | float | bool) else None


def renamed(
    error: pydantic.ValidationError, change: Callable[[ErrorDetails], InitErrorDetails]
) -> pydantic.ValidationError:
    """Give *error* again with each of its details passed through *change*."""
    details = [change(each) for each in error.errors(include_url=False)]
    return pydantic.ValidationError.from_exception_data(error.title, details, hide_input=True)


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the remedy for a misspelt *word*: the nearest of *known*, else all of them."""
    words = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(words)}" if words else "remove it"


_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?"
    r"(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?",
    re.ASCII,
)
_UNIT_MILLISECONDS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_LONGEST_DURATION = 40


def seconds(text: str) -> float:
    """Read a Prometheus duration (`30s`, `1m30s`, `500ms`, `0`) as seconds.

    Raises ValueError. The form is that of Prometheus' model.ParseDuration.
    """
    found = _DURATION.fullmatch(text) if 0 < len(text) <= _LONGEST_DURATION else None
    if text != "0" and not (found and found.group()):
        problem = f"{text[:_LONGEST_SHOWN]!r} is not a duration"
        raise ValueError(f"{problem}; write it like 30s, 1m30s or 500ms")
    if not found:
        return 0.0
    units = _UNIT_MILLISECONDS.items()
    return sum(int(found[unit] or 0) * length for unit, length in units) / 1000


def _duration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if info.context is None:
            return float(value)  # made in code, where the unit is in the name
        raise fault(f"{value} has no unit", f"write {value}s for seconds")
    raise fault("not a duration", "write it like 30s, 1m30s or 500ms")


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    pydantic.WithJsonSchema({"type": "string", "examples": ["30s", "1m30s", "500ms"]}),
]
"""A Prometheus duration in YAML, seconds in code (which may give plain seconds as well)."""


def _beside(value: Path, info: ValidationInfo) -> Path:
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / value


ConfigPath = Annotated[Path, AfterValidator(_beside)]
"""A path, which counts from the configuration file's folder when it is relative."""

S = TypeVar("S", bound=pydantic.BaseModel)


def load(path: Path, model: type[S], *, environ: Mapping[str, str]) -> S:
    """Read *path* as *model*; secrets take their variables from *environ*.

    Raises ConfigError with every problem at once, the unreadable file among them.
    """
    return parse(_text(path), str(path), model, environ=environ, directory=path.parent)


def parse(
    text: str,
    name: str,
    model: type[S],
    *,
    environ: Mapping[str, str],
    directory: Path | None = None,
) -> S:
    """Read YAML *text* as *model*; *name* stands for the file in every problem.

    Relative paths count from *directory*. Raises ConfigError with every problem at once.
    """
    document = read(text, name)
    if not isinstance(document.data, dict):
        place = document.place(())
        problem = f"the file holds {_noun(document.data)}, not a map"
        raise ConfigError([_problem(place, "", problem, "write it as `key: value` lines")])
    context = {"environ": environ, "directory": directory or Path()}
    problems = list(document.problems)
    try:
        settings = model.model_validate(document.data, context=context)
    except pydantic.ValidationError as error:
        told = {(each.place, each.path) for each in problems}
        found = _problems(error.errors(include_url=False), document)
        problems += [each for each in found if (each.place, each.path) not in told]
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_line))
    return settings


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([_problem(str(path), "", "no such file", "check the path")]) from None
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ConfigError([_problem(str(path), "", problem, "check path and mode")]) from None
    if len(raw) > _LARGEST_FILE_BYTES:
        problem = f"larger than {_LARGEST_FILE_BYTES // 1024**2} MiB"
        raise ConfigError([_problem(str(path), "", problem, "split it")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        place = f"{path}:{line}"
        raise ConfigError([_problem(place, "", "not UTF-8", "save it as UTF-8")]) from None


def _problem(place: str, path: str, problem: str, remedy: str) -> Problem:
    return Problem(place=place, path=path, problem=problem, remedy=remedy)


def _problems(details: Iterable[ErrorDetails], document: Document) -> list[Problem]:
    found = []
    for each in details:
        path = document.known(each["loc"])
        place = document.place(path)
        shown = (*path, each["loc"][-1]) if each["type"] == "missing" else path
        found.append(_problem(place, dotted(shown), *_wording(each)))
    return found


def _line(problem: Problem) -> int:
    return int(problem.place.rpartition(":")[2])


_WANTED = {
    "string_type": ("text", "put the value in quotes"),
    "int_type": ("a whole number", "write it like 10, without quotes"),
    "int_from_float": ("a whole number", "write it like 10"),
    "float_type": ("a number", "write it like 1.5, without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "dict_type": ("a map", "write it as `key: value` lines"),
    "model_type": ("a map", "write it as `key: value` lines"),
    "model_attributes_type": ("a map", "write it as `key: value` lines"),
    "list_type": ("a list", "write it as `- value` lines"),
    "tuple_type": ("a list", "write it as `- value` lines"),
    "set_type": ("a list", "write it as `- value` lines"),
    "frozen_set_type": ("a list", "write it as `- value` lines"),
    "path_type": ("a path", "put the value in quotes"),
}


def _wording(details: ErrorDetails) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "fault":
        return str(context["problem"]), str(context["remedy"])
    if kind == "missing":
        return "required, but not set", "add it"
    if kind in _WANTED:
        wanted, remedy = _WANTED[kind]
        return f"{_noun(details['input'])} is not {wanted}", remedy
    if kind in {"value_error", "assertion_error"}:
        problem, _, remedy = str(context.get("error", details["msg"])).partition("; ")
        return problem, remedy
    if kind in {"literal_error", "enum"}:
        return _choice(str(details["input"]), str(context["expected"]))
    return details["msg"][:1].lower() + details["msg"][1:], ""


def _choice(given: str, expected: str) -> tuple[str, str]:
    known = re.findall(r"'([^']*)'", expected)
    shown = f"{given!r} is" if len(given) <= _LONGEST_SHOWN else "the value is"
    return f"{shown} not one of {', '.join(known) or expected}", nearest(given, known)


def _noun(value: object) -> str:
    if value is None:
        return "an empty value"
    nouns = {bool: "a truth value", str: "text", list: "a list", dict: "a map"}
    return nouns.get(type(value), "a number")

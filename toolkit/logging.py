"""Structured logs on stderr: one fixed event and its fields, as logfmt or JSON."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, get_args

import structlog

Format = Literal["logfmt", "json"]

LEVELS = ("debug", "info", "warn", "error")
FORMATS: tuple[Format, ...] = get_args(Format)

_LONGEST_VALUE = 4000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NO_KEY = re.compile(r"[\s=\"]")
_NUMBERS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}


def configure(
    *,
    level: str,
    format: Format,  # noqa: A002 - named after the flag
    mask: Callable[[str], str] | None = None,
) -> None:
    """Send structlog's and the libraries' records to stderr from *level* up.

    Each text of a record, traces with what errors say among them, goes through *mask*.
    Libraries speak from warning up unless *level* is debug. Raises ValueError on another level.
    """
    if level not in _NUMBERS:
        raise ValueError(f"--log.level: {level!r} is no level; use one of {', '.join(LEVELS)}")
    number = _NUMBERS[level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        clean,
        *([_masked_by(mask)] if mask is not None else []),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("msg"),
                _renderer(format),
            ],
        )
    )
    handler.addFilter(lambda record: _is_wanted(record, number))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)


def _is_wanted(record: logging.LogRecord, number: int) -> bool:
    is_ours = isinstance(record.msg, dict)  # as structlog hands an event over
    return is_ours or number == logging.DEBUG or record.levelno >= logging.WARNING


def _renderer(format: Format) -> Any:  # noqa: A002 - named after the flag
    if format == "json":
        return structlog.processors.JSONRenderer(default=str)
    return structlog.processors.LogfmtRenderer(
        key_order=["ts", "level", "msg"], drop_missing=True, bool_as_flag=False
    )


def clean(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Strip control characters from every value and cap its length, so that a line stays one."""
    return {
        _NO_KEY.sub("_", key): value if key.startswith("_") else _cleaned(value)
        for key, value in event.items()
    }


def _masked_by(mask: Callable[[str], str]) -> Any:
    def masked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: masked(each) for key, each in value.items()}
        if isinstance(value, list):
            return [masked(each) for each in value]
        return mask(value) if isinstance(value, str) else value

    def process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        return {
            key: value if key.startswith("_") else masked(value) for key, value in event.items()
        }

    return process


def _cleaned(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(each) for each in value]
    text = _CONTROL.sub("", str(value))
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."

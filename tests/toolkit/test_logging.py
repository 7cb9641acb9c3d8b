"""Logs: one line an event, whatever the values hold."""

from __future__ import annotations

import json
import logging as stdlib
from collections.abc import Iterator
from typing import get_args

import pytest
import structlog

from toolkit import logging
from toolkit.secrets import Secret


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = stdlib.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_logfmt(capsys: pytest.CaptureFixture[str]) -> None:
    """Logfmt puts time, level and event first, and quotes what needs it."""
    logging.configure(level="info", format="logfmt")
    structlog.get_logger("any.name").info("probe finished", target="chat a", seconds=0.5, ok=True)
    stamp, _, rest = capsys.readouterr().err.partition(" ")
    assert stamp.startswith("ts=20")
    assert stamp.endswith("Z")
    assert rest == 'level=info msg="probe finished" target="chat a" seconds=0.5 ok=true\n'


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the same fields."""
    logging.configure(level="info", format="json")
    structlog.get_logger().warning("probe failed", reason={"kind": "tls"}, runs=(1, 2))
    event = json.loads(capsys.readouterr().err)
    assert event.pop("ts")
    assert event == {
        "level": "warning",
        "msg": "probe failed",
        "reason": {"kind": "tls"},
        "runs": [1, 2],
    }


@pytest.mark.parametrize("form", get_args(logging.Format))
def test_hostile_values(form: logging.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """A value with line ends, escapes or direction marks stays one harmless line."""
    logging.configure(level="info", format=form)
    hostile = 'x\nts=1 level=error msg="forged"\r\x1b[31m\u202e\u200b' + "y" * 9000
    structlog.get_logger().info("answer read", text=hostile, **{"a key=": 1})
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert not set(shown) & set("\x1b\r\u202e\u200b")
    assert len(shown) < 5000


@pytest.mark.parametrize("form", get_args(logging.Format))
def test_secret(form: logging.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret in a field, or within one, is masked."""
    logging.configure(level="debug", format=form)
    secret = Secret.from_environ("A", {"A": "hunter2"})
    structlog.get_logger().info("asked", token=secret, headers={"authorization": [secret]})
    shown = capsys.readouterr().err
    assert "<secret>" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("form", get_args(logging.Format))
def test_exception(form: logging.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is one field of one line."""
    logging.configure(level="info", format=form)
    try:
        int("too sour")
    except ValueError:
        structlog.get_logger().exception("baking failed")
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "ValueError: invalid literal" in shown


@pytest.mark.parametrize("form", get_args(logging.Format))
def test_mask(form: logging.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """What is taken for a secret is masked in every field, in lists, maps and traces too."""
    logging.configure(level="info", format=form, mask=lambda text: text.replace("hunter2", "***"))
    try:
        int("hunter2")
    except ValueError as error:
        fields = {"deep": {"list": ["hunter2"]}, "number": 2}
        structlog.get_logger().exception("failed", error=str(error), **fields)
    shown = capsys.readouterr().err
    assert "hunter2" not in shown
    assert shown.count("***") >= 3


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Events under the level are not shown."""
    logging.configure(level="warn", format="logfmt")
    log = structlog.get_logger()
    log.info("unseen")
    log.warning("seen")
    shown = capsys.readouterr().err
    assert "unseen" not in shown
    assert "msg=seen" in shown


def test_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries speak in the same form, from warning up, and from debug up on debug."""
    library = stdlib.getLogger("some.library")
    logging.configure(level="info", format="logfmt")
    library.info("chatty")
    library.warning("pool of %d is full", 3)
    shown = capsys.readouterr().err
    assert "chatty" not in shown
    assert 'level=warning msg="pool of 3 is full"' in shown
    logging.configure(level="debug", format="logfmt")
    library.debug("chatty")
    assert "level=debug msg=chatty" in capsys.readouterr().err


def test_unknown_level() -> None:
    """A level that is none is refused with the known ones."""
    with pytest.raises(ValueError, match="'loud' is no level; use one of debug, info"):
        logging.configure(level="loud", format="logfmt")

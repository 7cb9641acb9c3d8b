"""Secrets of every form: in no request, log line, report, page or metric."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from typing import Any

import pytest
import structlog

from responder.guard import clean, line, mask_secrets
from responder.investigation.compose import Stamp, compose
from responder.investigation.render import render
from tests.responder.conftest import Start
from tests.responder.corpora.gullible import Gullible
from tests.responder.corpora.injections import CHANNELS
from tests.responder.corpora.planting import obeyed, planted
from tests.responder.corpora.secret_texts import Planted
from tests.responder.corpora.secret_texts import planted as secrets
from tests.responder.corpora.secret_trial import false_positives, masked
from tests.responder.fakes import alert, post
from tests.responder.investigation.desk import Seat
from toolkit.logging import configure


def left(told: str) -> list[str]:
    """Name the forms of which a secret stands in a text, in JSON's escapes or not."""
    return [
        f"{each.family}: {each.name}"
        for each in secrets()
        if any(secret in told or json.dumps(secret)[1:-1] in told for secret in each.secrets)
    ]


def test_the_corpus_is_large() -> None:
    """At least sixty forms, ten families, and each line holds its secrets before it is masked."""
    forms = secrets()
    assert len({(each.family, each.name) for each in forms}) >= 60
    assert len({each.family for each in forms}) >= 10
    for each in forms:
        seen = clean(each.line, 4000) + json.dumps(clean(each.line, 4000))
        assert all(secret in seen for secret in each.secrets), each.name


def test_every_form_is_masked() -> None:
    """None is left, by each way in which text from outside comes in."""
    assert [each.planted.name for each in masked() if each.leaks] == []


@pytest.mark.parametrize("each", secrets(), ids=lambda each: f"{each.family}: {each.name}")
def test_a_placeholder_is_stable(each: Planted) -> None:
    """Masked again it stays as it is, and the same line is masked in the same way."""
    once = mask_secrets(line(each.line, 2000))
    assert "<" in once
    assert mask_secrets(once) == once
    assert mask_secrets(line(each.line, 2000)) == once


def test_ordinary_telemetry_is_left_alone() -> None:
    """Digests, commits, trace ids, pods, paths and queries are no secrets."""
    assert false_positives() == []


async def test_none_is_sent_to_a_model_or_comes_back_from_it(seat: Seat) -> None:
    """Planted in every channel, and repeated by the model that read them, none is seen."""
    model = Gullible()
    desk = await seat(model.application(), ceilings={"incident": {}})
    told = []
    for number, each in enumerate(secrets()):
        about = planted(CHANNELS[number % len(CHANNELS)], each.line)
        model.report = obeyed(each.line, each.line, about.evidence[-1].id)
        draft = await desk.analyst.analyse(about)
        report = compose(about, draft, (), Stamp(report_id="r", started_at=0.0, now=1.0))
        told.append(report.model_dump_json() + render(report))
    asked = [json.dumps(each, ensure_ascii=False) for each in model.received]
    assert len(asked) == len(secrets())
    assert left("\n".join(asked)) == []
    assert left("\n".join(told)) == []


async def test_none_is_shown_or_measured(start: Start) -> None:
    """Alerts that carry them in labels and annotations: page, API and metrics hold none."""
    place = await start()
    sent = [
        alert(f"Alert{number}", starts_at=time.time(), target="chat", zone=each.line[:900])
        | {"fingerprint": f"f{number}"}
        | {"annotations": {"summary": each.line, "description": f"see {each.line}"}}
        for number, each in enumerate(secrets())
    ]
    assert await place.send(post(*sent)) == 200
    (incident, *_) = await place.reported()
    paths = ("/", f"/incidents/{incident['id']}", f"/api/v1/incidents/{incident['id']}", "/metrics")
    for path in (*paths, f"/incidents/{incident['id']}/report.txt", "/api/v1/episodes"):
        text = await place.text(path)
        assert "Alert0" in text or "chat" in text or path == "/api/v1/episodes"
        assert left(text) == [], path


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Log as the program does, into a text."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    with redirect_stderr(written):
        configure(level="info", format="logfmt", mask=mask_secrets)
        yield written
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def _raised(problem: str) -> None:
    raise ValueError(problem)


def _failing(log: Any, problem: str) -> None:
    try:
        _raised(problem)
    except ValueError:
        log.exception("stage failed")
        raise


def test_none_is_logged(logged: io.StringIO) -> None:
    """As a field, in an error's text and in its trace."""
    log = structlog.get_logger("test")
    for each in secrets():
        log.warning("source failed", problem=line(each.line, 2000))
        with suppress(ValueError):
            _failing(log, line(each.line, 2000))
    text = logged.getvalue()
    assert text.count("source failed") == len(secrets())
    assert left(text) == []

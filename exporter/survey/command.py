"""`init URL`: look, propose, hold that against the configuration's own rules, and try it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import yaml

from exporter import config
from exporter.access import Tls
from exporter.excerpt import excerpt, secrets_of
from exporter.probe import probe_of
from exporter.run import Run, perform
from exporter.survey.look import Found, Look, SurveyError
from exporter.survey.place import place_of
from exporter.survey.proposal import Wishes, chosen, cost_of, settings_of, text_of, with_budget
from exporter.target import Target
from exporter.transport import Transport
from toolkit.secrets import Secret, SecretError


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The command line of `init`."""

    url: str
    key_env: str = ""
    ca_file: Path | None = None
    model: str = ""
    is_tried: bool = False


async def propose(
    asked: Asked,
    transport: Transport,
    environ: Mapping[str, str],
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Return a configuration of one target, loaded once to be sure.

    Raises SurveyError, or ConfigError for a proposal that would not load, which is a defect.
    """
    wishes = Wishes(
        key_env=asked.key_env,
        ca_file=str(asked.ca_file.resolve()) if asked.ca_file else "",
        model=asked.model,
    )
    found = await _found(asked, wishes, transport, environ, clock)
    settings = settings_of(found, chosen(found, wishes), wishes)
    target = _loaded(yaml.safe_dump({"targets": [settings]}), environ)
    cost = cost_of(target)
    settings = with_budget(settings, found, cost)
    tried = tuple(_told(await _try(target, transport), target)) if asked.is_tried else ()
    text = text_of(settings, found, cost, tried)
    _loaded(text, environ)
    return text


async def _found(
    asked: Asked,
    wishes: Wishes,
    transport: Transport,
    environ: Mapping[str, str],
    clock: Callable[[], float],
) -> Found:
    try:
        look = Look(
            place=place_of(asked.url),
            transport=transport,
            clock=clock,
            key=Secret.from_environ(asked.key_env, environ) if asked.key_env else None,
            tls=Tls(ca_file=Path(wishes.ca_file)) if wishes.ca_file else None,
            begun=clock(),
        )
        return await look.found()
    except pydantic.ValidationError as error:
        raise SurveyError(f"--ca-file: {error.errors()[0]['msg']}") from None
    except SecretError as error:
        raise SurveyError(str(error)) from None
    except ValueError as error:
        raise SurveyError(f"{asked.url[:200].rpartition('@')[2]}: {error}") from None


def _loaded(text: str, environ: Mapping[str, str]) -> Target:
    (target,) = config.parse(text, "init", environ=environ).targets
    return target


async def _try(target: Target, transport: Transport) -> Run:
    return await perform(target, probe_of(target).questions()[0], transport)


def _told(run: Run, target: Target) -> Iterator[str]:
    """Say in lines what the one run brought; outside text is on one line, and masked."""
    seen = run.observation
    yield f"tried once: {'right' if run.reason is None else f'{run.reason}: {run.detail}'}"
    figures: dict[str, Any] = {
        "seconds": round(seen.duration_seconds, 3),
        "to the first token": _rounded(seen.first_token_seconds),
        "prompt tokens": seen.prompt_tokens,
        "output tokens": seen.output_tokens,
    }
    yield "  " + ", ".join(
        f"{value} {name}" for name, value in figures.items() if value is not None
    )
    text = " ".join(excerpt(seen.complaint or seen.answer, secrets_of(target)).split())
    if text:
        yield f"  answered: {text[:200]}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)

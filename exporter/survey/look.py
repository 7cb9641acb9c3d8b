"""Asks an address what it is: a few bounded reads, one after another, until the table knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from exporter.access import Tls
from exporter.address import literal
from exporter.excerpt import clean
from exporter.native.names import SERVERS as NAMES
from exporter.native.names import Server
from exporter.native.page import parse
from exporter.survey.place import Place
from exporter.survey.signs import SERVERS, About, Answer, Kind, Listing, Page, Recognised, step
from exporter.target import Exchange, Reason
from exporter.transport import Request, Transport
from toolkit.secrets import Secret

PAGE_SECONDS = 5.0
ALL_SECONDS = 30.0
MOST_MODELS = 500
_LIMIT_BYTES = 8 << 20
_MODEL_CHARACTERS = 200
_ANTHROPIC = {"anthropic-version": "2023-06-01"}
_REMEDIES: Mapping[Reason, str] = {
    Reason.TLS: "give its authority with --ca-file, or correct the certificate",
    Reason.FORBIDDEN: "give the address itself if it is meant",
}


class SurveyError(Exception):
    """Nothing can be proposed; the text says why and how to go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NativePage:
    """Where the server's own metrics are, whose names they fit, and which of those it lacks.

    A page that `is_locked` wants the key.
    """

    url: str
    server: Server
    absent: tuple[str, ...]
    is_locked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What answers at an address; `kind` None where it is no server that is known.

    `probe` is the kind of target, empty where none fits, `status` the plain answer's.
    """

    place: Place
    kind: Kind | None
    probe: str
    models: tuple[str, ...] = ()
    version: str = ""
    native: NativePage | None = None
    status: int | None = None

    @property
    def about(self) -> About | None:
        """The server's row."""
        return None if self.kind is None else SERVERS[self.kind]


@dataclass(kw_only=True, slots=True)
class Look:
    """One look at one address; `begun` and the clock are monotonic seconds."""

    place: Place
    transport: Transport
    clock: Callable[[], float]
    key: Secret | None
    tls: Tls | None
    begun: float
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: dict[Page, Answer] = field(default_factory=dict)
    kind: Kind | None = None

    async def recognise(self) -> None:
        """Ask until the table knows the server, or has nothing more to ask."""
        while isinstance(path := step(self.answers), str):
            answer = await self.ask(Page(path=path))
            if answer.failure and not self.answers:
                raise SurveyError(f"{self.place.given}: {answer.failure}")
            self.answers[path] = answer
        self.kind = path.kind if isinstance(path, Recognised) else None
        if self.kind == "anthropic" and self.key is not None:
            self.seen.clear()  # it was asked with the key in the place where others want it

    async def ask(self, page: Page) -> Answer:
        """Ask a page once; a second time its answer is given again."""
        if page not in self.seen:
            self.seen[page] = await self._ask(page)
        return self.seen[page]

    async def _ask(self, page: Page) -> Answer:
        return await self._exchange(page, self._credentials(page))

    async def _exchange(self, page: Page, credentials: Mapping[str, str]) -> Answer:
        left = self.begun + ALL_SECONDS - self.clock()
        if left <= 0:
            return Answer(failure=f"no answer within {ALL_SECONDS:g} s in all; try again")
        named = literal(self.place.host)
        typed = {"Content-Type": "application/json"} if page.method == "POST" else {}
        request = Request(
            method=page.method,
            url=self.place.url(page),
            headers={"Accept": "application/json, text/plain", **typed, **credentials},
            private=frozenset({"authorization", "x-api-key"}),
            body=b"{}" if page.method == "POST" else b"",
            timeout_seconds=min(PAGE_SECONDS, left),
            limit_bytes=_LIMIT_BYTES,
            tls=self.tls,
            named=frozenset() if named is None else frozenset({str(named)}),
        )
        return answer_of(await self.transport.exchange(request))

    def _credentials(self, page: Page) -> dict[str, str]:
        """Give the key to the address that it is for, and to no other port beside it."""
        if self.key is None or page.beside:
            return {}
        if self.kind == "anthropic":
            return {"x-api-key": self.key.reveal(), **_ANTHROPIC}
        return {"Authorization": f"Bearer {self.key.reveal()}"}

    async def text_at(self, listing: Listing | None) -> str:
        """Return one short text that a page tells, empty where it does not."""
        if listing is None:
            return ""
        value = (await self.ask(listing.page)).at(listing.at)
        return clean(value, 60) if isinstance(value, str) else ""

    async def models(self) -> tuple[str, ...]:
        """Return the models that the server lists; SurveyError where a key is wanted."""
        found: list[str] = []
        for listing in SERVERS[self.kind].models if self.kind else ():
            answer = await self.ask(listing.page)
            if answer.status in {401, 403}:
                raise SurveyError(self._locked(answer.status))
            found += _names(answer.at(listing.at))
        return tuple(dict.fromkeys(found))[:MOST_MODELS]

    def _locked(self, status: int | None) -> str:
        title = SERVERS[self.kind].title if self.kind else "it"
        if self.key is not None:
            return f"{self.place.given}: {title} refuses the key (status {status}); check it"
        return (
            f"{self.place.given}: {title} wants a key (status {status});"
            " name the variable that holds it with --key-env"
        )

    async def native(self) -> NativePage | None:
        """Look for the server's own metrics; the key goes there only where it is wanted."""
        pages = SERVERS[self.kind].metrics if self.kind else (Page(path="metrics"),)
        for page in pages:
            url = self.place.url(page)
            answer = await self._exchange(page, {})
            credentials = self._credentials(page)
            # What settings of native metrics can send is a bearer token.
            is_locked = answer.status in {401, 403} and "Authorization" in credentials
            if is_locked:
                answer = await self._exchange(page, credentials)
            fits = fitting(answer, url)
            if fits is not None:
                return replace(fits, is_locked=is_locked)
        return None

    async def found(self) -> Found:
        """Look; SurveyError where nothing can be proposed."""
        await self.recognise()
        if self.kind is None:
            return await self._plain()
        about = SERVERS[self.kind]
        models = await self.models()
        return Found(
            place=self.place,
            kind=self.kind,
            probe=await self._probe(about, models),
            models=models,
            version=await self.text_at(about.version),
            native=await self.native(),
        )

    async def _probe(self, about: About, models: tuple[str, ...]) -> str:
        """Return the kind of target; of a Triton model with text in it is another."""
        model = self.place.model or next(iter(models), None)
        if self.kind != "triton" or model is None:
            return about.probe
        metadata = await self.ask(Page(path=f"v2/models/{model}"))
        names = metadata.at("inputs[].name")
        return "triton_generate" if "text_input" in _names(names) else about.probe

    async def _plain(self) -> Found:
        answer = await self.ask(Page(path=""))
        if answer.failure:
            raise SurveyError(f"{self.place.given}: {answer.failure}")
        status = answer.status or 0
        if status in {401, 403}:
            raise SurveyError(self._locked(status))
        if not 200 <= status < 300:
            raise SurveyError(
                f"{self.place.given}: no server that is known, and it answers GET with"
                f" {status}; write a target of kind `json` or `http` with its method and body"
            )
        is_json = isinstance(answer.document, dict | list)
        return Found(
            place=self.place,
            kind=None,
            probe="json" if is_json else "http",
            native=await self.native(),
            status=status,
        )


def answer_of(exchange: Exchange) -> Answer:
    """Read an exchange; pure."""
    if exchange.failure is not None:
        remedy = _REMEDIES.get(exchange.failure, "check the address")
        return Answer(failure=f"{exchange.detail or exchange.failure}; {remedy}")
    try:
        document = orjson.loads(exchange.body)
    except orjson.JSONDecodeError:
        document = None
    return Answer(
        status=exchange.status,
        headers=exchange.headers,
        text=exchange.body.decode("utf-8", "replace"),
        document=document,
    )


def fitting(answer: Answer, url: str) -> NativePage | None:
    """Say whose names a page of metrics has: the server of whose row the least is absent; pure."""
    if answer.status != 200:
        return None
    best: tuple[float, NativePage] | None = None
    for server, names in NAMES.items():
        absent = parse(answer.text, names, 0.0).absent
        missing = tuple(sorted(name for name, gone in absent.items() if gone))
        part = 1 - len(missing) / len(absent)
        if part > 0 and (best is None or part > best[0]):
            best = part, NativePage(url=url, server=cast("Server", server), absent=missing)
    return None if best is None else best[1]


def _names(found: Any) -> list[str]:
    """Return the names in a list from outside, those that cannot be a model's left out."""
    if not isinstance(found, list):
        return []
    return [
        each
        for each in found
        if isinstance(each, str)
        and 0 < len(each) <= _MODEL_CHARACTERS
        and clean(each, _MODEL_CHARACTERS) == each
        and "\n" not in each
    ]

"""Sends each message as an email with text, HTML and the chart, to each recipient by itself."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Literal, Self

import aiohttp
import aiosmtplib
import pydantic
from pydantic import AfterValidator, Field

from responder.channel import ChannelSettings, Delivered, Message, Rejected, Retry, channels
from responder.letter import letter, message_id
from responder.raster import png
from toolkit.secrets import Secret, SecretError
from toolkit.settings import Duration, fault

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_FAREWELL_SECONDS = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# RFC 4954: what is wrong with the login. A password can be replaced while the message waits.
_LOGIN = frozenset({530, 534, 535, 538})


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise fault("not an email address", "write it like oncall@example.org")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise fault("not a host", "write it like smtp.example.org, without a port")
    return value


Address = Annotated[str, AfterValidator(_address)]


@channels.register("email")
class EmailChannel(ChannelSettings):
    """One email for each recipient, with a row of its own in the outbox.

    In the configuration: `{kind: email, host: smtp.example.org, username: vigie, password: {env:
    SMTP_PASSWORD}, sender: vigie@example.org, to: [oncall@example.org]}`.
    One recipient that is refused so delays no other, and nobody gets it again for another's sake.
    A repeat has the Message-ID of before, by which mail programs and servers know it.
    """

    name: str = "email"
    host: Annotated[str, AfterValidator(_host)]
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Absent: 587 for starttls, 465 for tls, 25 for none."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = None
    """The authorities that the server's certificate may come from; absent: the system's."""
    username: str = ""
    password: Secret | None = None
    sender: Address
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    timeout: Duration = Field(default=20.0, gt=0)

    @pydantic.model_validator(mode="after")
    def _fit(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise fault("one of username and password is missing", "set both, or neither")
        if self.username and self.security == "none" and self.host not in _LOOPBACK:
            raise fault("the password would go in the clear", "set security to starttls or tls")
        if len({each.lower() for each in self.to}) < len(self.to):
            raise fault("a recipient is named twice in `to`", "name each once")
        return self

    @pydantic.field_validator("ca_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ssl.SSLError):
                raise fault("ca_file cannot be read", "give a PEM file") from None
        return value

    def destinations(self) -> tuple[str, ...]:
        """Give the recipients."""
        return self.to

    async def send(
        self,
        message: Message,
        session: aiohttp.ClientSession,  # noqa: ARG002 - the contract's; mail is no HTTP
        deadline_seconds: float,
    ) -> Delivered | Retry | Rejected:
        """Hand the email over to the server once."""
        recipient = message.destination or self.to[0]
        limit_seconds = min(self.timeout, deadline_seconds)
        picture = await png(message.chart_svg, limit_seconds / 2)
        try:
            async with asyncio.timeout(limit_seconds):
                # A large report takes a while to write, which the event loop has no time for.
                written = await asyncio.to_thread(letter, message, self.sender, recipient, picture)
                await self._hand_over(written, recipient)
        except SecretError as error:
            return Retry(problem=str(error))
        except TimeoutError:
            return Retry(problem=f"{self.host}: no answer within {limit_seconds:g} s")
        except aiosmtplib.SMTPException as error:
            return self._judged(error)
        except (OSError, ValueError) as error:
            return Retry(problem=f"{self.host}: not reached ({type(error).__name__})")
        own_id = message_id(message.idempotency_key, self.sender)
        return Delivered(reference=message.reference or own_id)

    async def _hand_over(self, written: EmailMessage, recipient: str) -> None:
        context = None
        if self.security != "none":
            context = await asyncio.to_thread(ssl.create_default_context, cafile=self.ca_file)
        server = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port or _PORTS[self.security],
            username=self.username or None,
            password=self.password.reveal() if self.password is not None else None,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=context,
            # Else it would ask the resolver for this machine's name, and tell it.
            local_hostname="vigie.invalid",
            timeout=self.timeout,
        )
        try:
            await server.connect()
            await server.send_message(written, sender=self.sender, recipients=[recipient])
            with suppress(aiosmtplib.SMTPException, TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await server.quit()
        finally:
            # Without a word: one who hangs would not answer it.
            server.close()

    def _judged(self, error: aiosmtplib.SMTPException) -> Retry | Rejected:
        """Judge by the code alone: 4xx may pass, 5xx is for ever (RFC 5321, 4.2.1).

        The server's own words are left out: they could repeat what it was told.
        """
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
            error = error.recipients[0]
        if isinstance(error, aiosmtplib.SMTPTimeoutError):
            return Retry(problem=f"{self.host}: no answer in time")
        if not isinstance(error, aiosmtplib.SMTPResponseException):
            return Retry(problem=f"{self.host}: {_words(error)}")
        enhanced = _ENHANCED.search(error.message or "")
        code = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
        problem = f"{self.host}: answered {code} ({_words(error)})"
        if error.code in _LOGIN:
            return Retry(problem=f"{problem}; check username and password")
        is_final = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPConnectError)
        return Rejected(problem=problem) if is_final else Retry(problem=problem)


_WORDS: tuple[tuple[type[aiosmtplib.SMTPException], str], ...] = (
    (aiosmtplib.SMTPAuthenticationError, "login refused"),
    (aiosmtplib.SMTPSenderRefused, "sender refused"),
    (aiosmtplib.SMTPRecipientRefused, "recipient refused"),
    (aiosmtplib.SMTPDataError, "content refused"),
    (aiosmtplib.SMTPHeloError, "greeting refused"),
    (aiosmtplib.SMTPNotSupported, "the server lacks what is configured, such as STARTTLS"),
    (aiosmtplib.SMTPConnectError, "not connected"),
    (aiosmtplib.SMTPServerDisconnected, "hung up"),
)


def _words(error: aiosmtplib.SMTPException) -> str:
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "failed")

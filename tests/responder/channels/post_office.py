"""A real SMTP server (aiosmtpd) with STARTTLS, TLS and logins, misbehaving on demand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from lab.certificates import CA_FILE, issue, open_authority, swap

USER, PASSWORD = "vigie", "a-pass-word-of-mine"


@dataclass(kw_only=True, slots=True)
class PostOffice:
    """Keeps what was delivered; `refusals` are answered instead, by recipient."""

    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    content_answer: str = "250 OK"
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    ca_file: Path = Path()

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Take a recipient, or not."""
        del server, session, options
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, session: Any, envelope: Envelope
    ) -> str:
        """Take a message."""
        del server, session
        await self.hold.wait()
        if self.content_answer.startswith("250"):
            content = cast("bytes", envelope.content)
            read = message_from_bytes(content, policy=policy.default)
            self.letters.extend((each, read) for each in envelope.rcpt_tos)
        return self.content_answer


def _login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    del server, session, envelope, mechanism
    is_known = (
        isinstance(data, LoginPassword)
        and data.login == USER.encode()
        and data.password == PASSWORD.encode()
    )
    # It says what it was given: no error of ours may repeat that.
    message = None if is_known else f"535 5.7.8 no such password: {PASSWORD}"
    return AuthResult(success=is_known, handled=False, message=message)


@asynccontextmanager
async def post_office(folder: Path, security: str = "starttls") -> AsyncIterator[PostOffice]:
    """Run a server on a free port; with STARTTLS it demands a login."""
    office = PostOffice()
    office.hold.set()
    context, office.ca_file = _context(folder)
    asks = security == "starttls"
    open_sessions: list[SMTP] = []

    def session() -> SMTP:
        server = SMTP(
            office,
            hostname="mail.example",
            tls_context=context if asks else None,
            require_starttls=asks,
            auth_required=asks,
            auth_require_tls=asks,
            authenticator=_login if asks else None,
            loop=asyncio.get_running_loop(),
        )
        open_sessions.append(server)
        return server

    listening = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    office.port = listening.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        office.hold.set()
        listening.close()
        for each in open_sessions:
            if each.transport is not None:
                each.transport.close()
        await asyncio.sleep(0)


def _context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    now = datetime.now(UTC)
    authority = open_authority(folder, now)
    pem, _ = issue(authority, ["localhost"], now, 1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    swap(context, authority, pem)
    return context, folder / CA_FILE

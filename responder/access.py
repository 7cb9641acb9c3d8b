"""How a source's server is reached: credentials, headers and certificates, as its settings."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from pydantic import Field, model_validator

from responder.remote import Remote
from toolkit.problem import fault
from toolkit.secrets import Secret, SecretError
from toolkit.settings import ConfigPath, Settings


class AccessError(Exception):
    """A secret or certificate cannot be read; the text names its place and a remedy."""


class Basic(Settings):
    """A user, sent as Authorization: Basic."""

    username: str
    password: Secret


class Tls(Settings):
    """How the server's certificate is verified, and the one that it is shown."""

    ca_file: ConfigPath | None = Field(None, description="PEM certificates to trust")
    client_cert_file: ConfigPath | None = Field(None, description="PEM certificate to show")
    client_key_file: ConfigPath | None = Field(
        None, description="its PEM key, where the certificate's file does not hold it"
    )

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Tls:
        if self.client_key_file is not None and self.client_cert_file is None:
            raise fault("a key without a certificate", "give client_cert_file too")
        return self

    def context(self) -> ssl.SSLContext:
        """Build the context from the files as they are now; raises AccessError."""
        try:
            made = ssl.create_default_context(cafile=self.ca_file)
            if self.client_cert_file is not None:
                # An encrypted key must fail here, not ask on the terminal.
                made.load_cert_chain(self.client_cert_file, self.client_key_file, password="")
        except OSError as error:
            files = (self.ca_file, self.client_cert_file, self.client_key_file)
            named = ", ".join(str(each) for each in files if each is not None)
            problem = error.strerror or type(error).__name__
            remedy = "give readable PEM files that belong together"
            raise AccessError(f"tls {named}: {problem}; {remedy}") from None
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What a request carries: headers with the credentials as they are now, and certificates."""

    headers: Mapping[str, str]
    tls: ssl.SSLContext | bool


class Access(Settings):
    """The settings that every source has whose server may want to know who asks."""

    bearer: Secret | None = Field(None, description="sent as Authorization: Bearer")
    basic: Basic | None = Field(None, description="a user, sent as Authorization: Basic")
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="sent with each question, such as X-Scope-OrgID"
    )
    tls: Tls | None = Field(None, description="certificates")

    @model_validator(mode="after")
    def _one_credential(self) -> Access:
        own = any(name.lower() == "authorization" for name in self.headers)
        if sum((self.bearer is not None, self.basic is not None, own)) > 1:
            raise fault("more than one credential", "keep one of bearer, basic and the header")
        return self

    async def reach(self) -> Reach:
        """Read the credentials and certificates; raises AccessError."""
        return Reach(
            headers={**self.headers, **self._authorization()},
            tls=True if self.tls is None else await asyncio.to_thread(self.tls.context),
        )

    async def remote(
        self, url: str, session: aiohttp.ClientSession, *, until: float, limit_bytes: int
    ) -> Remote:
        """Make what asks the server; raises AccessError."""
        reach = await self.reach()
        return Remote(
            url=url,
            session=session,
            until=until,
            limit_bytes=limit_bytes,
            headers=reach.headers,
            tls=reach.tls,
        )

    def _authorization(self) -> dict[str, str]:
        try:
            if self.bearer is not None:
                return {"Authorization": f"Bearer {self.bearer.reveal()}"}
            if self.basic is not None:
                pair = f"{self.basic.username}:{self.basic.password.reveal()}"
                return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        except SecretError as error:
            raise AccessError(str(error)) from None
        return {}

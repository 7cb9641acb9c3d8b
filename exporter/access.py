"""How an endpoint is reached: address, credentials, TLS and proxy, as the file has them."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator

from toolkit.secrets import Secret
from toolkit.settings import ConfigPath, Settings

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def url_of(value: str) -> str:
    """Return an http or https address as it is; ValueError says what is wrong with it."""
    if CONTROL.search(value) or " " in value:
        raise ValueError("has spaces or control characters; percent-encode them")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("not an http address; write http://host or https://host")
    if not parts.hostname:
        raise ValueError("names no host; write http://host or https://host")
    _check_port(parts)
    if "@" in parts.netloc:
        raise ValueError("holds credentials; move them to `auth`")
    if parts.fragment:
        raise ValueError("has a fragment, which no server is sent; remove the part after #")
    return value


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port is no number up to 65535; correct it") from None


Url = Annotated[str, AfterValidator(url_of)]


class Basic(Settings):
    """A user and password, sent as RFC 7617 says."""

    username: str = Field(min_length=1, max_length=200, description="the user")
    password: Secret = Field(description="the password")


class Auth(Settings):
    """How the endpoint knows us: exactly one of these."""

    bearer: Secret | None = Field(None, description="a token, sent as Authorization: Bearer")
    basic: Basic | None = Field(None, description="a user and password")

    @model_validator(mode="after")
    def _one(self) -> Auth:
        if (self.bearer is None) == (self.basic is None):
            raise ValueError("exactly one way is needed; give bearer or basic")
        return self


class Tls(Settings):
    """How the endpoint's certificate is verified."""

    ca_file: ConfigPath | None = Field(None, description="PEM certificates to trust")
    server_name: str | None = Field(None, description="name to ask for and to verify")
    client_cert_file: ConfigPath | None = Field(None, description="PEM certificate to show")
    client_key_file: ConfigPath | None = Field(
        None, description="its PEM key, where the certificate's file does not hold it"
    )

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Tls:
        if self.client_key_file is not None and self.client_cert_file is None:
            raise ValueError("a key without a certificate; give client_cert_file too")
        return self


class Proxy(Settings):
    """The proxy through which an endpoint is reached; what it resolves is its own matter."""

    url: Url = Field(description="its address, http only")
    auth: Basic | None = Field(None, description="credentials that only the proxy is sent")

    @model_validator(mode="after")
    def _plain(self) -> Proxy:
        if not self.url.startswith("http:"):
            raise ValueError("not a plain proxy; write http://host:port")
        return self

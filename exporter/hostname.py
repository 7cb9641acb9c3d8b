"""Asks an address for another name than the one in its url: one of its virtual hosts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from exporter.access import Tls
from exporter.transport import Request

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")


def hostname_of(value: str) -> str:
    """Return a host, perhaps with a port, as it is; ValueError says what is wrong with it."""
    if not _HOST.fullmatch(value):
        raise ValueError("not a host; write name or name:port, without scheme and path")
    return value


HostName = Annotated[str, AfterValidator(hostname_of)]


def asked_as(request: Request, hostname: str) -> Request:
    """Ask for the name in the Host header and in TLS, where no server name is set already.

    No other origin is asked for it, and what is not HTTP has no header.
    """
    tls = request.tls or Tls()
    if tls.server_name is None:
        name = urlsplit(f"//{hostname}").hostname
        tls = tls.model_copy(update={"server_name": name})
    if request.instead is not None:
        return replace(request, tls=tls)
    headers = {**request.headers, "Host": hostname}
    return replace(request, headers=headers, private=request.private | {"host"}, tls=tls)

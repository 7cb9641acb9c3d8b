"""TLS contexts are kept until their files change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from exporter.access import Tls
from exporter.peer import peer_of
from exporter.target import Reason
from exporter.wire.failure import FailedError
from exporter.wire.tls import context_of, handshake_failure
from tests.toolkit.authority import Authority


def test_a_context_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    """A renewed CA file is read."""
    pair = Authority(tmp_path).sign("server", "h.example")
    tls = Tls(ca_file=pair.cert)
    first = context_of(tls)
    assert context_of(tls) is first
    os.utime(pair.cert, ns=(1, 1))
    assert context_of(tls) is not first
    assert context_of(None) is context_of(None)


@pytest.mark.parametrize("name", ["ca_file", "client_cert_file"])
def test_an_unreadable_file_is_our_own_fault(tmp_path: Path, name: str) -> None:
    """The text names the setting, not the path."""
    with pytest.raises(FailedError) as refused:
        context_of(Tls.model_validate({name: tmp_path / "none.pem"}))
    assert refused.value.reason is Reason.INTERNAL
    assert str(refused.value).startswith(f"tls.{name} cannot be read")


def test_what_a_handshake_shows() -> None:
    """No certificate before its end, and no text of the far end's in a failure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unfinished = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="h")
    assert peer_of("::1", unfinished).certificate is None
    assert handshake_failure(ssl.SSLError(1, "hostile")).detail == "the TLS handshake failed"

"""Names of TLS versions and cipher suites, OpenSSL's on one side and IANA's on the other."""

from __future__ import annotations

import re
from typing import Final

_VERSIONS: Final = {
    "TLSv1": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
_SUITE: Final = re.compile(
    r"(?:(?P<exchange>ECDHE-ECDSA|ECDHE-RSA|DHE-RSA)-)?"
    r"(?P<cipher>AES128|AES256|CHACHA20-POLY1305)(?:-(?P<mode>GCM))?(?:-(?P<hash>SHA\d*))?"
)
_CIPHERS: Final = {"AES128": "AES_128", "AES256": "AES_256", "CHACHA20-POLY1305": ""}


def version_name(openssl: str) -> str:
    """Return `TLS 1.3` for `TLSv1.3`."""
    return _VERSIONS.get(openssl, "unknown")


def suite_name(openssl: str) -> str:
    """Return IANA's name of a suite; one of TLS 1.3 has the same for both, as has an unknown one.

    https://www.iana.org/assignments/tls-parameters
    """
    found = _SUITE.fullmatch(openssl)
    if found is None:
        return openssl
    exchange = (found["exchange"] or "RSA").replace("-", "_")
    if found["cipher"].startswith("CHACHA20"):
        return f"TLS_{exchange}_WITH_CHACHA20_POLY1305_SHA256"
    cipher = f"{_CIPHERS[found['cipher']]}_{found['mode'] or 'CBC'}"
    return f"TLS_{exchange}_WITH_{cipher}_{found['hash'] or 'SHA'}"

"""The lab's authority: kept in its folder, made anew when it has to be."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from lab.certificates import CA_FILE, issue, open_authority

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_the_authority_is_kept(tmp_path: Path) -> None:
    """A second start trusts what the first one made, and the key is its owner's alone."""
    first = open_authority(tmp_path / "certs", NOW)
    again = open_authority(tmp_path / "certs", NOW + dt.timedelta(days=30))
    assert first.certificate == again.certificate
    assert (tmp_path / "certs" / "ca-key.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", [b"", b"no certificate"])
def test_a_broken_authority_is_made_anew(tmp_path: Path, text: bytes) -> None:
    """A file that cannot be read is replaced."""
    first = open_authority(tmp_path, NOW)
    (tmp_path / CA_FILE).write_bytes(text)
    assert open_authority(tmp_path, NOW).certificate != first.certificate


def test_an_authority_about_to_end_is_made_anew(tmp_path: Path) -> None:
    """It must outlast every certificate that it may sign."""
    first = open_authority(tmp_path, NOW)
    later = open_authority(tmp_path, NOW + dt.timedelta(days=600))
    assert later.certificate != first.certificate


def test_a_certificate_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """The end is counted in days from now."""
    pem, ends = issue(open_authority(tmp_path, NOW), ["gateway", "127.0.0.1"], NOW, 2.0)
    assert ends == NOW + dt.timedelta(days=2)
    assert pem.count(b"-----BEGIN") == 2

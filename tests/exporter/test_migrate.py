"""A blackbox_exporter configuration becomes ours; what could not be carried over is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporter import config, migrate
from toolkit.problem import ConfigError

THEIRS = """
modules:
  page:
    prober: http
    timeout: 5s
    http:
      method: POST
      headers: {X-Team: search, Host: inner.example, Authorization: Bearer abc}
      body: '{}'
      valid_status_codes: [200, 201]
      valid_http_versions: [HTTP/1.1]
      follow_redirects: false
      fail_if_body_not_matches_regexp: ['ready', 'done']
      fail_if_body_matches_regexp: ['error']
      fail_if_not_ssl: true
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      body_size_limit: 2MB
      proxy_url: http://proxy.example:3128
      enable_http2: false
      tls_config: {ca_file: /etc/ca.pem, insecure_skip_verify: true, min_version: TLS12}
  secret:
    prober: http
    http: {basic_auth: {username: u, password: s3cret}}
  token:
    prober: http
    http: {authorization: {credentials_file: /run/token}}
  mail:
    prober: tcp
    tcp:
      tls: true
      query_response: [{expect: '^220 ', send: 'EHLO x'}, {starttls: true}]
  ping: {prober: icmp}
  plain: {prober: http}
"""


@pytest.fixture
def migrated(tmp_path: Path) -> migrate.Migration:
    """Read THEIRS."""
    path = tmp_path / "blackbox.yml"
    path.write_text(THEIRS)
    return migrate.read(path)


def test_what_is_there_is_carried_over(migrated: migrate.Migration) -> None:
    """Names differ, meanings do not."""
    page = migrated.modules["page"]
    assert page == {
        "kind": "http",
        "method": "POST",
        "follow_redirects": False,
        "headers": {"X-Team": "search"},
        "body": "{}",
        "valid_status": [200, 201],
        "checks": [{"regex": "ready"}, {"regex": "done"}],
        "response_limit_bytes": 2_000_000,
        "proxy": {"url": "http://proxy.example:3128"},
        "tls": {"ca_file": "/etc/ca.pem"},
        "timeout": "5s",
        "allow_targets": ["*"],
    }
    assert migrated.modules["plain"]["follow_redirects"] is True
    steps = migrated.modules["mail"]["query_response"]
    assert steps == [{"expect": "^220 ", "send": "EHLO x"}, {"starttls": True}]


@pytest.mark.parametrize(
    "place",
    [
        "modules.page.http.valid_http_versions",
        "modules.page.http.fail_if_body_matches_regexp",
        "modules.page.http.fail_if_not_ssl",
        "modules.page.http.preferred_ip_protocol",
        "modules.page.http.headers.Host",
        "modules.page.http.headers.Authorization",
        "modules.page.http.tls_config.insecure_skip_verify",
        "modules.page.http.tls_config.min_version",
        "modules.secret.http.basic_auth.password",
        "modules.secret.http.allow_targets",
        "modules.mail.tcp.tls",
        "modules.ping",
    ],
)
def test_what_is_not_is_said(migrated: migrate.Migration, place: str) -> None:
    """By its place, with why or what to do."""
    assert [note for note in migrated.notes if note.startswith(f"{place}: ")]


def test_a_secret_is_never_copied(migrated: migrate.Migration) -> None:
    """It is to be put into a variable; a file's place is kept."""
    assert "s3cret" not in migrated.text()
    assert "abc" not in migrated.text()
    basic = migrated.modules["secret"]["auth"]["basic"]
    assert basic == {"username": "u", "password": {"env": "VIGIE_MODULES_SECRET_HTTP"}}
    assert migrated.modules["token"]["auth"] == {"bearer": {"file": "/run/token"}}


def test_what_comes_out_is_a_configuration(migrated: migrate.Migration, tmp_path: Path) -> None:
    """It is read as it is, but for the secret that is not there yet."""
    del migrated.modules["token"]
    path = tmp_path / "exporter.yml"
    path.write_text(migrated.text())
    read = config.load(path, environ={"VIGIE_MODULES_SECRET_HTTP": "x"})
    assert set(read.modules) == {"page", "secret", "mail", "plain"}
    assert yaml.safe_load(migrated.text())["probe_modules"].keys() == read.modules.keys()


@pytest.mark.parametrize("text", ["", "[]", "a: [", "modules: 3", "{" * 2000])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    """With its place."""
    path = tmp_path / "other.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"other\.yml"):
        migrate.read(path)
    with pytest.raises(ConfigError, match=r"none\.yml"):
        migrate.read(tmp_path / "none.yml")


@pytest.mark.parametrize(
    "module",
    [
        None,
        3,
        {"prober": "http", "http": 3},
        {"prober": ["x"]},
        {"prober": "http", "http": {"headers": 3}},
        {"prober": "http", "http": {"basic_auth": "x"}},
        {"prober": "tcp", "tcp": {"query_response": [3]}},
    ],
)
def test_an_odd_module_is_borne(module: object) -> None:
    """It is left out, or has nothing to carry over."""
    found = migrate.migrate({"odd": module})
    assert found.notes or found.modules

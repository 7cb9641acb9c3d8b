"""A blackbox.yml becomes our configuration; what does not is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __main__ as command
from exporter.blackbox.fields import milliseconds
from exporter.blackbox.migrate import NOBODY, Migration, migrate
from exporter.config import load
from tests.exporter.blackbox.schema import HTTP, MODULE, STEP, TCP, TLS_CONFIG
from toolkit.problem import ConfigError


def migrated(prober: str = "http", **module: Any) -> Migration:
    """Migrate one module, named m."""
    return migrate(yaml.safe_dump({"modules": {"m": {"prober": prober, **module}}}), "b.yml")


def _settings(made: Migration) -> Any:
    return yaml.safe_load(made.text)


def written(prober: str = "http", **module: Any) -> dict[str, Any]:
    """Return what one module becomes."""
    made = migrated(prober, **module)
    assert made.written == 1, made.notes
    found: dict[str, Any] = yaml.safe_load(made.text)["probe_modules"]["m"]
    return found


def test_bare_module() -> None:
    """What blackbox_exporter does unasked is written out: it follows, and waits for the scrape."""
    assert written() == {
        "kind": "http",
        "timeout": "2m",
        "follow_redirects": True,
        "allow_targets": ["*"],
    }


def test_http_is_carried_over() -> None:
    """Each field that our kind http has a word for is written with it."""
    http = {
        "valid_status_codes": [200, 404],
        "valid_http_versions": ["HTTP/1.1", "HTTP/2.0"],
        "method": "post",
        "headers": {"Host": "a.example", "X-Plain": "shown"},
        "http_headers": {"X-Other": {"values": ["there"]}},
        "body": "hello",
        "compression": "gzip",
        "body_size_limit": "2MB",
        "fail_if_not_ssl": True,
        "no_follow_redirects": True,
        "fail_if_body_matches_regexp": ["bad"],
        "fail_if_body_not_matches_regexp": ["good"],
        "fail_if_header_matches": [{"header": "A", "regexp": "b", "allow_missing": True}],
        "fail_if_header_not_matches": [{"header": "C", "regexp": "d"}],
        "tls_config": {
            "ca_file": "/ca.pem",
            "server_name": "b.example",
            "cert_file": "/c.pem",
            "key_file": "/k.pem",
        },
        "proxy_url": "http://u:hidden@p.example:3128",
        "preferred_ip_protocol": "ip4",
        "ip_protocol_fallback": False,
    }
    assert written(timeout="1.5s", http=http) == {
        "kind": "http",
        "timeout": "1500ms",
        "method": "POST",
        "headers": {"X-Plain": "shown", "X-Other": "there"},
        "hostname": "a.example",
        "body": "hello",
        "valid_status": [200, 404],
        "valid_http_versions": ["HTTP/1.1"],
        "compression": "gzip",
        "encryption": "required",
        "follow_redirects": False,
        "response_limit_bytes": 2 << 20,
        "proxy": {
            "url": "http://p.example:3128",
            "auth": {
                "username": "u",
                "password": {"env": "VIGIE_M_HTTP_PROXY_URL_PASSWORD"},
            },
        },
        "tls": {
            "ca_file": "/ca.pem",
            "server_name": "b.example",
            "client_cert_file": "/c.pem",
            "client_key_file": "/k.pem",
        },
        "checks": [
            {"not_regex": "bad"},
            {"regex": "good"},
            {"header": {"name": "A", "pattern": "b", "matches": False, "may_be_missing": True}},
            {"header": {"name": "C", "pattern": "d", "matches": True, "may_be_missing": False}},
        ],
        "ip_version": 4,
        "allow_targets": ["*"],
    }


def test_tcp_is_carried_over() -> None:
    """A dialogue keeps its steps, each line with the end that it had."""
    steps = [{"expect": "^220"}, {"send": "EHLO x\r"}, {"send": "a\n"}, {"starttls": True}]
    found = written("tcp", tcp={"tls": True, "query_response": steps})
    assert found["encrypted"] is True
    assert found["query_response"] == [*steps[:2], {"send": "a\n\n"}, {"starttls": True}]


@pytest.mark.parametrize(
    ("http", "auth"),
    [
        (
            {"basic_auth": {"username": "u", "password": "hidden"}},
            {"basic": {"username": "u", "password": {"env": "VIGIE_M_HTTP_BASIC_AUTH_PASSWORD"}}},
        ),
        (
            {"basic_auth": {"username": "u", "password_file": "/p"}},
            {"basic": {"username": "u", "password": {"file": "/p"}}},
        ),
        (
            {"authorization": {"credentials": "hidden"}},
            {"bearer": {"env": "VIGIE_M_HTTP_AUTHORIZATION_CREDENTIALS"}},
        ),
        ({"bearer_token_file": "/t"}, {"bearer": {"file": "/t"}}),
        (
            {"headers": {"authorization": "Bearer hidden"}},
            {"bearer": {"env": "VIGIE_M_HTTP_HEADERS_AUTHORIZATION"}},
        ),
    ],
)
def test_credentials_are_carried_but_not_copied(http: Any, auth: Any) -> None:
    """A secret stays where it is or moves to the environment, and goes to named hosts only."""
    made = migrated(http=http)
    found = yaml.safe_load(made.text)["probe_modules"]["m"]
    assert found["auth"] == auth
    assert found["allow_targets"] == [NOBODY]
    assert "hidden" not in made.text + "".join(made.notes)
    variables = re.findall("VIGIE_[A-Z_]+", made.text)
    assert all(variable in "".join(made.notes) for variable in variables)


def test_secret_headers_are_not_copied() -> None:
    """A header that is named like a credential becomes a variable, one of a file stays so."""
    headers = {"X-Api-Key": {"files": ["/k"]}, "X-Token": {"secrets": ["hidden"]}}
    made = migrated(http={"headers": {"Cookie": "hidden"}, "http_headers": headers})
    assert yaml.safe_load(made.text)["probe_modules"]["m"]["headers"] == {
        "Cookie": {"env": "VIGIE_M_HEADERS_COOKIE"},
        "X-Api-Key": {"file": "/k"},
        "X-Token": {"env": "VIGIE_M_HTTP_HEADERS_X_TOKEN"},
    }
    assert "hidden" not in made.text + "".join(made.notes)


@pytest.mark.parametrize("prober", ["icmp", "dns", "grpc", "unix", "websocket", "nonsense", ""])
def test_other_probers_are_left_out(prober: str) -> None:
    """What no kind of ours asks is named with its prober."""
    made = migrated(prober)
    assert made.left_out == 1
    assert made.notes == (
        f"m: left out: prober: {prober or 'nothing'} "
        + ("is no prober" if prober in {"", "nonsense"} else "is asked by no kind here"),
    )


@pytest.mark.parametrize(
    ("prober", "options", "said"),
    [
        ("http", {"proxy_url": "socks5://p"}, "http.proxy_url"),
        ("http", {"proxy_url": "http://p", "no_proxy": "a"}, "http.no_proxy"),
        ("http", {"proxy_from_environment": True}, "http.proxy_from_environment"),
        ("http", {"oauth2": {"client_id": "x"}}, "http.oauth2"),
        ("http", {"fail_if_body_json_matches_cel": "body.a"}, "cel"),
        ("http", {"tls_config": {"cert": "c"}}, "http.tls_config.cert"),
        ("http", {"tls_config": {"min_version": "TLS13"}}, "http.tls_config.min_version"),
        ("http", {"compression": "br"}, "http.compression"),
        ("http", {"valid_http_versions": ["HTTP/2.0"]}, "http.valid_http_versions"),
        ("http", {"fail_if_ssl": True, "fail_if_not_ssl": True}, "http.fail_if_ssl"),
        ("http", {"authorization": {"type": "Digest", "credentials": "x"}}, "authorization.type"),
        ("http", {"http_headers": {"A": {"values": ["b", "c"]}}}, "http.http_headers.A"),
        ("http", {"body_file": "/not/there"}, "http.body_file"),
        ("http", {"fail_if_body_matches_regexp": ["("]}, "checks"),
        ("http", {"method": "BREW"}, "method"),
        ("http", {"of_tomorrow": 1}, "http.of_tomorrow"),
        ("http", {"headers": 7}, "http.headers"),
        ("http", {"valid_status_codes": "x"}, "http.valid_status_codes"),
        ("tcp", {"query_response": [{"expect_bytes": "S"}]}, "query_response[0].expect_bytes"),
        ("tcp", {"query_response": [{"send": b"\xff\xfe"}]}, "query_response[0].send"),
        ("tcp", {"query_response": [{"expect": "(.)", "send": "${1}"}]}, "query_response[0].send"),
        ("tcp", {"query_response": [3]}, "query_response[0]"),
    ],
)
def test_what_would_find_right_what_was_wrong_is_left_out(
    prober: str, options: Any, said: str
) -> None:
    """A module whose verdict could be kinder is not written, and the field is named."""
    made = migrated(prober, **{prober: options})
    assert made.written == 0
    assert any(note.startswith("m: left out: ") and said in note for note in made.notes)


@pytest.mark.parametrize(
    ("prober", "fields"),
    [
        ("http", HTTP),
        ("tcp", TCP),
        ("http", {"tls_config": TLS_CONFIG}),
    ],
)
def test_every_field_is_known(prober: str, fields: dict[str, Any]) -> None:
    """No field of blackbox_exporter 0.28 is taken for a newer one."""
    for name, value in fields.items():
        made = migrated(prober, **{prober: {name: value}})
        assert not [note for note in made.notes if "not known here" in note], name


@pytest.mark.parametrize(
    "module",
    [None, 3, [], {"prober": "http", "http": 3}, {"prober": ["x"]}, {"prober": "tcp", "tcp": "x"}],
)
def test_odd_module_is_left_out(module: object) -> None:
    """What blackbox_exporter would not read is told of, not tripped over."""
    made = migrate(yaml.safe_dump({"modules": {"odd": module}}), "b.yml")
    assert (made.written, made.left_out) == (0, 1)
    assert made.notes


def test_name_of_a_module_ends_no_line() -> None:
    """A comment stays one line, whatever a module is called."""
    text = yaml.safe_dump({"modules": {"a\nprobe_modules: {}": {"prober": "icmp"}}})
    made = migrate(text, "b.yml")
    assert made.notes == ("a probe_modules: {}: left out: prober: icmp is asked by no kind here",)
    assert yaml.safe_load(made.text) == {"probe_modules": {}}


@pytest.mark.parametrize("name", [*HTTP, *TLS_CONFIG])
def test_every_field_is_carried_or_named(name: str) -> None:
    """A field that is set changes what is written, or is told of; none is lost."""
    options = {"tls_config": {name: TLS_CONFIG[name]}} if name in TLS_CONFIG else {name: HTTP[name]}
    bare, made = migrated(), migrated(http=options)
    assert _settings(made) != _settings(bare) or any(name in note for note in made.notes)


@pytest.mark.parametrize("name", [*TCP, *STEP])
def test_every_field_of_tcp_is_carried_or_named(name: str) -> None:
    """The same of tcp and the steps of its dialogues."""
    options = {"query_response": [{name: STEP[name]}]} if name in STEP else {name: TCP[name]}
    bare, made = migrated("tcp"), migrated("tcp", tcp=options)
    assert _settings(made) != _settings(bare) or any(name in note for note in made.notes)


@pytest.mark.parametrize("name", MODULE)
def test_every_field_of_a_module_is_known(name: str) -> None:
    """What another prober would read is told of, as is all else."""
    made = migrated(**{name: MODULE[name]})
    assert made.written == 1
    assert not [note for note in made.notes if "not known here" in note]


def test_hosts_are_those_that_are_given() -> None:
    """With hosts named, credentials go to them, and nothing is left to replace."""
    text = yaml.safe_dump(
        {"modules": {"m": {"prober": "http", "http": {"bearer_token_file": "/t"}}}}
    )
    made = migrate(text, "b.yml", allowed=["a.example:443"])
    assert yaml.safe_load(made.text)["probe_modules"]["m"]["allow_targets"] == ["a.example:443"]
    assert "allow_targets: " not in "".join(made.notes)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "modules: 3", "modules: {", "{" * 2000, "x" * (1 << 21), "modules: !!python/x 1"],
)
def test_what_is_no_blackbox_yml_is_refused(text: str) -> None:
    """The file is named, and what to give instead."""
    with pytest.raises(ConfigError, match=r"b\.yml"):
        migrate(text, "b.yml")


@pytest.mark.parametrize(
    ("text", "read"),
    [("5s", 5000), ("1.5s", 1500), ("1m30s", 90_000), ("2h", 7_200_000), ("3", None), ("s", None)],
)
def test_durations_are_go_s(text: str, read: int | None) -> None:
    """A duration may have decimals and several units."""
    assert milliseconds(text) == read


def test_command_prints_a_configuration_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`migrate FILE` prints the configuration, and the lines beside it to stderr."""
    source, made = tmp_path / "blackbox.yml", tmp_path / "exporter.yml"
    source.write_text("modules: {web: {prober: http}, ping: {prober: icmp}}")
    monkeypatch.setattr("sys.argv", ["vigie-exporter", "migrate", str(source)])
    assert command.main() == 0
    printed = capsys.readouterr()
    made.write_text(printed.out)
    assert list(load(made, environ={}).modules) == ["web"]
    assert "ping: left out: prober: icmp is asked by no kind here" in printed.err
    assert printed.err.endswith("1 modules written, 1 left out\n")


def test_command_says_what_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there is named, and the command fails."""
    monkeypatch.setattr("sys.argv", ["vigie-exporter", "migrate", str(tmp_path / "none.yml")])
    assert command.main() == 1
    assert "none.yml: cannot be read" in capsys.readouterr().err

"""Every field of a module that blackbox_exporter 0.28 reads for http and tcp, each set."""

from __future__ import annotations

from typing import Any

_STEP = {"expect": "a", "send": "b"}

MODULE: dict[str, Any] = {
    "timeout": "5s",
    "http": {"method": "GET"},
    "tcp": {"tls": True},
    "icmp": {"ttl": 1},
    "dns": {"query_name": "a.example"},
    "grpc": {"tls": True},
    "unix": {"tls": True},
    "websocket": {"headers": {"A": "b"}},
}

HTTP: dict[str, Any] = {
    "valid_status_codes": [204],
    "valid_http_versions": ["HTTP/1.1"],
    "preferred_ip_protocol": "ip4",
    "ip_protocol_fallback": False,
    "skip_resolve_phase_with_proxy": True,
    "no_follow_redirects": True,
    "fail_if_ssl": True,
    "fail_if_not_ssl": True,
    "method": "HEAD",
    "headers": {"A": "b"},
    "fail_if_body_matches_regexp": ["a"],
    "fail_if_body_not_matches_regexp": ["a"],
    "fail_if_body_json_matches_cel": "body.a",
    "fail_if_body_json_not_matches_cel": "body.a",
    "fail_if_header_matches": [{"header": "A", "regexp": "b"}],
    "fail_if_header_not_matches": [{"header": "A", "regexp": "b"}],
    "body": "a",
    "body_file": "/not/there",
    "compression": "gzip",
    "body_size_limit": "1MB",
    "enable_http3": True,
    # What it takes from Prometheus's common client.
    "basic_auth": {"username": "a", "password": "b"},
    "authorization": {"credentials": "a"},
    "oauth2": {"client_id": "a"},
    "bearer_token": "a",
    "bearer_token_file": "/a",
    "tls_config": {"ca_file": "/a"},
    "follow_redirects": False,
    "enable_http2": True,
    "http_headers": {"A": {"values": ["b"]}},
    "proxy_url": "http://a.example",
    "no_proxy": "b.example",
    "proxy_from_environment": True,
    "proxy_connect_header": {"A": ["b"]},
}

TLS_CONFIG: dict[str, Any] = {
    "ca": "a",
    "cert": "a",
    "key": "a",
    "ca_file": "/a",
    "cert_file": "/a",
    "key_file": "/a",
    "ca_ref": "a",
    "cert_ref": "a",
    "key_ref": "a",
    "server_name": "a.example",
    "insecure_skip_verify": True,
    "min_version": "TLS12",
    "max_version": "TLS13",
}

TCP: dict[str, Any] = {
    "preferred_ip_protocol": "ip4",
    "ip_protocol_fallback": False,
    "source_ip_address": "127.0.0.1",
    "query_response": [_STEP],
    "tls": True,
    "tls_config": {"ca_file": "/a"},
}

STEP: dict[str, Any] = {
    "expect": "a",
    "expect_bytes": "a",
    "labels": [{"name": "a", "value": "b"}],
    "send": "a",
    "starttls": True,
}

"""Ordinary telemetry, in which nothing is a secret and nothing is an order."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterator

_SERVICES = ("chat", "scorer", "features", "gateway", "embeddings")


def lines(seed: int = 3) -> list[str]:
    """Make some hundred lines of logs, labels, queries, names, ids, paths and sentences."""
    rng = random.Random(seed)
    return [*_FIXED, *_made(rng)]


def _made(rng: random.Random) -> Iterator[str]:
    for n in range(25):
        service = rng.choice(_SERVICES)
        digest = hashlib.sha256(str(n).encode()).hexdigest()
        commit = hashlib.sha1(str(n).encode(), usedforsecurity=False).hexdigest()
        identity = uuid.UUID(int=rng.getrandbits(128), version=4)
        ending = "".join(rng.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        pod = f"{service}-{rng.getrandbits(40):010x}-{ending}"
        yield f"ghcr.io/acme/{service}@sha256:{digest}"
        yield f"deploy {service} 1.{n}.0 ({commit[:7]}) rolled out"
        yield f"commit {commit} by ci"
        yield f"trace_id={rng.getrandbits(128):032x} span_id={rng.getrandbits(64):016x}"
        yield f"request {identity} took {rng.random():.3f}s"
        yield f'pod="{pod}" container="{service}" restarted {n} times'
        client = f"10.42.{n}.{rng.randrange(250)}"
        yield f'{client} - - "GET /v1/models/{service}?limit={n} HTTP/1.1" 200 {n * 311}'
        yield f"histogram_quantile(0.99, sum by (le) (rate({service}_latency_seconds_bucket[5m])))"
        at = f"2023-11-{n % 28 + 1:02d}T12:00:{n:02d}.{n:06d}Z"
        yield f'{at} level=error msg="upstream reset" attempt={n}'
        yield f"etcd lease {rng.getrandbits(63):016x} expired, revision {n * 7919}"


_FIXED = (
    "vllm:time_to_first_token_seconds_bucket",
    "prompt tokens 1200, generation tokens 310, tokens per second 71.2",
    "max_tokens: 1200, temperature: 0.0",
    "token_usage=0.91 of the key value cache",
    "tokenizer loaded: mistralai/Ministral-3-8B-Instruct-2512",
    "password authentication failed for user app",
    "invalid api key; check your account",
    "token expired; renew it",
    "secret vigie-tls not found in namespace prod",
    "MountVolume.SetUp failed for volume kube-api-access-x7k2p: token not ready",
    "no credentials provider for registry eu.gcr.io",
    "TLS handshake error from 10.0.0.7:51234: remote error: bad certificate",
    "certificate CN=chat.prod.svc.cluster.local expires 2026-12-01",
    "http://prometheus:9090/api/v1/query_range?query=up&start=1&end=2&step=15",
    "https://grafana.example.org/d/vigie-responder?from=now-1h&to=now&var-service=chat",
    "CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 79.15 GiB total capacity)",
    "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.",
    "Ignoring unknown field max_new_tokens in the request",
    "previous instruction cache flushed, 3 pages",
    "All instructions of the batch were retired",
    "ignore_eos=True is set for the benchmark",
    "Restart the engine, then check that the queue drains.",
    "Report the incident number to the provider.",
    "Do not restart both replicas at the same time.",
    "If the error persists, call the owner of the service.",
    "The service is healthy again after the restart of 12:04.",
    "p99 latency of chat is above 2s for five minutes",
    "system: linux/amd64, kernel 6.1.0-13",
    "assistant-gateway: upstream assistant returned 502",
    "user=alice role=admin action=login result=ok",
    "model fraud-v3 forgot 2 of 14 features; using defaults",
    "circuit breaker open for features, 31 s left",
    "healthcheck: status=SERVING",
    "readiness probe failed: HTTP probe failed with statuscode: 503",
    "Back-off restarting failed container=scorer pod=scorer-6d5f9c7b8-zx4kq",
    "OOMKilled: exit code 137",
    "drift score 0.31 on column merchant_category (threshold 0.2)",
    "feature hour_of_day is null in 12.5 % of rows",
    "rate limited: 429, retry after 20 s (requests 500/500 this minute)",
    '{"level":"warn","msg":"slow request","seconds":3.2,"model":"chat"}',
    'sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) > 0.05',
    'group_key={}:{alertname="VigieTargetHung"}',
    "node gpu-node-pool-3f9a-7c2k cordoned",
    "arn:aws:iam::123456789012:role/vigie-reader",
    "projects/acme-ml-prod/locations/europe-west4/endpoints/1234567890123456789",
    "s3://acme-models-prod/fraud/2024-02-11/model-00001-of-00004.safetensors",
    'ETag: W/"5e3-18c0f1a2b40"',
    "Keep-Alive: timeout=5, max=1000",
    "Cookie header too long: 8311 bytes",
    "Authorization header missing",
    "cache key user:1234:features:v2 not found",
    "key=fraud-v3 partition=7 offset=118842",
    "session affinity lost for 3 clients",
    "signature of method predict changed: 14 inputs expected, 13 given",
    "Dear operator, the batch of 02:00 finished with 3 rows left out.",
)

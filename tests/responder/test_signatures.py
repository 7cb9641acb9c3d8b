"""Senders of changes that have no bearer token."""

from __future__ import annotations

import hashlib
import hmac
import io

import orjson
import pytest

from tests.responder.conftest import Start
from tests.responder.shapes.announced import GITHUB

SECRET = "a-secret-of-the-tests"
SIGNED_BY = "X-Hub-Signature-256"


def signature(body: bytes, secret: str = SECRET) -> str:
    """Sign a body as GitHub does."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {SECRET}"}, 200),
        ({"X-Gitlab-Token": SECRET}, 200),
        ({SIGNED_BY: signature(orjson.dumps(GITHUB))}, 200),
        ({}, 401),
        ({"X-Gitlab-Token": "another"}, 401),
        ({SIGNED_BY: signature(orjson.dumps(GITHUB), "another")}, 401),
        ({SIGNED_BY: signature(b"another body")}, 401),
        ({SIGNED_BY: "sha1=" + "0" * 40}, 401),
    ],
)
async def test_senders_that_have_no_bearer_token_are_known_by_their_own_means(
    start: Start, headers: dict[str, str], status: int
) -> None:
    """A deployment is stored when its sender knows the secret, whichever way it shows that."""
    place = await start("webhook: {bearer: [{env: HOOK}]}", environ={"HOOK": SECRET})
    body = orjson.dumps(GITHUB)
    assert await place.send(body, "/webhook/change", headers=headers) == status
    stored = "vigie_responder_changes_received_total 1.0\n" in await place.text("/metrics")
    assert stored is (status == 200)


async def test_of_an_unknown_sender_no_more_than_a_megabyte_is_read(start: Start) -> None:
    """A signature does not open the way for a large body that nobody vouches for."""
    place = await start("webhook: {bearer: [{env: HOOK}]}", environ={"HOOK": SECRET})
    body = b" " * (1 << 20) + b"{}"
    headers = {SIGNED_BY: signature(body)}
    url = place.url / "webhook/change"
    async with place.session.post(url, data=io.BytesIO(body), headers=headers) as answer:
        assert answer.status == 401

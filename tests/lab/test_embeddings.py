"""The embeddings server: vectors of length one, always the same, and OpenAI's errors."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.components import embeddings
from lab.components.embeddings import DIMENSIONS, embed
from tests.lab.servers import Served, Servers


@pytest.fixture
async def server(servers: Servers) -> Served:
    """Serve embeddings."""
    return await servers.serve(embeddings)


@given(st.text(max_size=200))
def test_a_vector_has_length_one_and_does_not_change(text: str) -> None:
    """Any text has a vector of length one, the same each time."""
    vector = embed(text)
    assert len(vector) == DIMENSIONS
    assert math.sqrt(sum(v * v for v in vector)) == pytest.approx(1, abs=1e-4)
    assert vector == embed(text)


def test_texts_that_share_words_lie_closer() -> None:
    """A shared word shows in the cosine."""

    def cosine(left: str, right: str) -> float:
        return sum(a * b for a, b in zip(embed(left), embed(right), strict=True))

    assert cosine("red river boat", "red river town") > cosine("red river boat", "tax form nine")


async def test_one_text_and_many(server: Served) -> None:
    """A text or a list of them is embedded, in order."""
    one = {"model": "lab-embed", "input": "a"}
    body = await (await server.client.post("/v1/embeddings", json=one)).json()
    assert body["data"][0]["embedding"] == embed("a")
    many = {"model": "lab-embed", "input": ["a", "b c"]}
    body = await (await server.client.post("/v1/embeddings", json=many)).json()
    assert [d["embedding"] for d in body["data"]] == [embed("a"), embed("b c")]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


async def test_a_failing_server_says_500_and_still_lives(server: Served) -> None:
    """With the fault each request fails at once, while /health is well; without it all is well."""
    asked = {"model": "lab-embed", "input": "a"}
    server.component.dials.turn({"failing": True})
    response = await server.client.post("/v1/embeddings", json=asked)
    assert response.status == 500
    assert (await response.json())["error"]["type"] == "InternalServerError"
    assert (await server.client.get("/health")).status == 200
    server.component.dials.turn({})
    assert (await server.client.post("/v1/embeddings", json=asked)).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"nonsense", 400),
        (b'{"model":"lab-embed"}', 400),
        (b'{"model":"lab-embed","input":[]}', 400),
        (b'{"model":"lab-embed","input":{"a":1}}', 400),
        (b'{"model":"other","input":"a"}', 404),
        (b" " * (2 << 20), 413),
    ],
)
async def test_bad_requests_are_refused(server: Served, body: bytes, status: int) -> None:
    """What cannot be embedded is refused with OpenAI's error body."""
    response = await server.client.post("/v1/embeddings", data=io.BytesIO(body))
    assert response.status == status
    assert (await response.json())["error"]["code"] == status

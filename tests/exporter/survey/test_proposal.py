"""What `init` makes of an address, and what it does where nothing can be proposed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.probe import probes
from exporter.survey.command import Asked, propose
from exporter.survey.look import ALL_SECONDS, SurveyError
from exporter.survey.proposal import SCRAPE, WEBHOOK
from exporter.transport import open_transport
from tests.exporter.servers import serving, silent
from tests.exporter.survey import llm, predictive, standins
from tests.exporter.survey.known import ENVIRON, KNOWN, loaded, proposed
from tests.exporter.survey.standins import KEY, Said, Standin, running


@pytest.mark.parametrize(
    ("name", "ending", "model"),
    [
        ("vllm", "/v1", "Qwen/Qwen2.5-0.5B-Instruct"),
        ("vllm", "/v1/chat/completions", "Qwen/Qwen2.5-0.5B-Instruct"),
        ("kserve_openai", "/openai/v1/models", "llama3"),
        ("triton", "/v2/models/fraud/versions/1/infer", "fraud"),
        ("tf serving", "/v1/models/half_plus_two:predict", "half_plus_two"),
        ("torchserve", "/predictions/resnet/2.0", "resnet"),
        ("ollama", "/api/chat", "llama3.2:3b"),
    ],
)
async def test_the_address_may_be_one_that_was_copied(
    name: str, ending: str, model: str, tmp_path: Path
) -> None:
    """What stands after the server's own address is taken off, and a model in it is meant."""
    async with running(KNOWN[name][1]) as found:
        target = loaded(await proposed(found.url + ending), tmp_path)
    assert (target.url, target.model) == (found.url, model)


async def test_a_prefix_of_the_address_stays(tmp_path: Path) -> None:
    """A server under a path of a gateway is asked under that path."""
    under = Standin(
        answers={f"GET /team-a{each.split(' ')[1]}": said for each, said in _vllm().items()},
        missing=standins.FASTAPI_404,
    )
    async with running(under) as found:
        target = loaded(await proposed(f"{found.url}/team-a/v1/"), tmp_path)
        assert target.native is not None
    assert target.url == f"{found.url}/team-a"
    assert target.native.url == f"{found.url}/team-a/metrics"


def _vllm() -> dict[str, Said]:
    return dict(llm.VLLM.answers)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(body={"status": "fine"}), "json"),
        (Said(body="<h1>hello</h1>", content_type="text/html"), "http"),
        (Said(body='{"object": "list", "data": null}'), "json"),
        (Said(body="3.4.0"), "http"),  # no MLflow, though its version is one
        (Said(body="null"), "http"),
    ],
)
async def test_anything_else_is_watched_as_json_or_http(
    said: Said, kind: str, tmp_path: Path
) -> None:
    """A server that answers everything alike is none that is known; its address is kept whole."""
    anything = Standin(answers={}, missing=said)
    async with running(anything) as found:
        target = loaded(await proposed(f"{found.url}/score?x=1"), tmp_path)
    assert (probes.kind_of(target), target.url) == (kind, f"{found.url}/score?x=1")


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "answers GET with 404"), (405, "answers GET with 405"), (401, "wants a key")],
)
async def test_what_cannot_be_watched_so_is_said(status: int, words: str) -> None:
    """An address that takes no GET, or wants a key, brings a way on and no configuration."""
    async with running(Standin(answers={}, missing=Said(status=status, body="no"))) as found:
        with pytest.raises(SurveyError, match=words):
            await proposed(found.url)


async def test_a_server_that_says_nothing_is_given_up_once() -> None:
    """One page that does not answer in time ends the look: the others are not waited for."""
    waited: list[float] = []

    class Late:
        async def exchange(self, request: Any) -> Any:
            waited.append(request.timeout_seconds)
            async with open_transport() as transport:
                return await transport.exchange(replace(request, timeout_seconds=0.05))

    async with serving(silent) as url:
        with pytest.raises(SurveyError, match="not finished after"):
            await propose(Asked(url=url), Late(), ENVIRON)
    assert waited == [5.0]


async def test_all_questions_together_have_an_end() -> None:
    """When the time for all is over, what is left is not asked; a clock that jumps shows it."""
    times = iter([0.0, 0.0, 0.0, *[ALL_SECONDS + 1] * 1000])
    nobody = Standin(answers={}, missing=Said(status=404, body="no"))
    async with running(nobody) as found, open_transport() as transport:
        with pytest.raises(SurveyError, match="no answer within 30 s"):
            await propose(Asked(url=found.url), transport, ENVIRON, clock=lambda: next(times))
    assert len(found.asked) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"url": "ftp://h"}, "not an http address"),
        ({"url": "http://user:pw@h/"}, "h/: holds credentials"),
        ({"url": "http://127.0.0.1:1", "key_env": "NONE"}, "variable NONE: .*set the variable"),
        ({"url": "http://127.0.0.1:1"}, "check the address"),
        ({"url": "http://nowhere.invalid"}, "check the address"),
        ({"url": "http://metadata.invalid:0x1"}, "the port is no number"),
    ],
)
async def test_wrong_command_lines_are_said(asked: dict[str, str], words: str) -> None:
    """Each has its words and a remedy; credentials in the address are not repeated."""
    with pytest.raises(SurveyError, match=words) as error:
        await proposed(**asked)
    assert "pw" not in str(error.value)


async def test_a_model_that_is_not_served_is_said() -> None:
    """A misspelt --model brings the nearest of those that are there."""
    async with running(llm.OLLAMA) as found:
        with pytest.raises(SurveyError, match=r"did you mean 'llama3\.2:3b'"):
            await proposed(found.url, model="llama3.2:3")
    async with running(predictive.TF_SERVING) as found:
        with pytest.raises(SurveyError, match="names no model; name it with --model"):
            await proposed(found.url)


@pytest.mark.parametrize(
    ("model", "kind", "dialect"),
    [
        ("text-embedding-3-small", "openai_embeddings", "openai"),
        ("o3-mini", "openai_chat", "openai_reasoning"),
        ("gpt-5-mini", "openai_chat", "openai_reasoning"),
        ("gpt-4o", "openai_chat", "openai"),
    ],
)
async def test_the_model_decides_the_question(
    model: str, kind: str, dialect: str, tmp_path: Path
) -> None:
    """A model of embeddings is asked for one, a reasoning model in its own dialect."""
    listed = llm.OPENAI.answers["GET /v1/models"]
    card = {"id": model, "object": "model", "created": 1, "owned_by": "system"}
    only = Said(body={"object": "list", "data": [card]}, headers=listed.headers)
    async with running(Standin(answers={"GET /v1/models": only}, missing=only)) as found:
        text = await proposed(found.url)
        target = loaded(text, tmp_path)
    assert (yaml.safe_load(text)["targets"][0]["kind"], target.dialect) == (kind, dialect)


async def test_paid_servers_get_a_ceiling_that_their_runs_keep(tmp_path: Path) -> None:
    """The cost of a day is said, and for an API that is paid by the token it is the budget."""
    async with running(llm.MISTRAL) as found:
        text = await proposed(found.url, key_env="MODEL_KEY")
    target = loaded(text, tmp_path)
    (question,) = target.questions()
    cost = question.cost_tokens * 288  # every five minutes
    assert target.budget.tokens_per_day == cost
    assert f"# a day: 288 runs, {cost:,} tokens at most ({question.cost_tokens} a run)" in text
    async with running(predictive.MLSERVER) as found:
        assert "# a day: 2,880 runs, no tokens" in await proposed(found.url)


async def test_metrics_that_want_the_key_get_it_and_say_so(tmp_path: Path) -> None:
    """A page of metrics behind the key is found with it, and the settings send it there."""
    locked = Standin(
        answers={**_vllm(), "GET /metrics": llm.VLLM.answers["GET /metrics"]},
        missing=standins.FASTAPI_404,
        unlocked_by=("Authorization", f"Bearer {KEY}"),
        locked=Said(status=401, body={"error": "Unauthorized"}),
        free=("/health",),
    )
    async with running(locked) as found:
        text = await proposed(found.url, key_env="MODEL_KEY")
    target = loaded(text, tmp_path)
    assert target.native.auth is not None
    assert KEY not in text
    metrics = [headers for _, asked, headers in found.asked if asked == "GET /metrics"]
    assert ["Authorization" in headers for headers in metrics] == [False, True]


async def test_one_generation_only_when_asked_to_try() -> None:
    """`--try` makes one run, and says what came of it; its answer cannot break out of a comment."""
    stream = (
        'data: {"choices":[{"index":0,"delta":{"content":"Paris\\n- name: x\\u001b[1m"}}]}\n\n'
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    )
    said = Said(body=stream, content_type="text/event-stream")
    speaking = Standin(
        answers={**_vllm(), "POST /v1/chat/completions": said}, missing=standins.FASTAPI_404
    )
    async with running(speaking) as found:
        text = await proposed(found.url, is_tried=True)
    assert [asked for _, asked, _ in found.asked].count("POST /v1/chat/completions") == 1
    assert "# tried once: right\n" in text
    assert "9 prompt tokens, 2 output tokens" in text
    assert "#   answered: Paris - name: x\n" in text
    assert len(yaml.safe_load(text)["targets"]) == 1


async def test_hostile_lists_bring_no_hostile_configuration(tmp_path: Path) -> None:
    """Names with line ends, terminal codes or without end are no models; the rest is kept."""
    odd = ["a\nb: c", "\x1b[31mred", "x" * 1000, 7, None, {"id": 1}, "good"]
    answer = Said(body={"object": "list", "data": [{"id": e, "owned_by": "vllm"} for e in odd]})
    async with running(Standin(answers={"GET /v1/models": answer}, missing=answer)) as found:
        text = await proposed(found.url)
    assert loaded(text, tmp_path).model == "good"
    assert "\x1b" not in text


async def test_a_certificate_that_is_not_known_brings_the_remedy() -> None:
    """A server that speaks no TLS where it should is said, with the flag that may help."""
    async with serving(_closes) as url:
        with pytest.raises(SurveyError, match="--ca-file"):
            await proposed(url.replace("http://", "https://"))


async def _closes(reader: Any, writer: Any) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()


def uncommented(text: str, key: str) -> str:
    """Return the pasted snippet that begins with *key*, as a person takes it out of the comment."""
    lines = text.splitlines()
    begin = lines.index(f"#   {key}:")
    rest = lines[begin:]
    end = next((n for n, each in enumerate(rest) if not each.startswith("#   ")), len(rest))
    return "".join(f"{each[4:]}\n" for each in rest[:end])


async def test_the_snippets_are_whole_configurations() -> None:
    """What is to be pasted stands in the output whole, and is YAML of the right keys."""
    async with running(llm.VLLM) as found:
        text = await proposed(found.url)
    assert uncommented(text, "scrape_configs") == SCRAPE
    assert uncommented(text, "route") == WEBHOOK


def test_prometheus_and_alertmanager_take_the_snippets(
    tmp_path: Path, programs: Mapping[str, Path]
) -> None:
    """Each snippet is a configuration that its program's own checker takes."""
    for name, text, check in (
        ("promtool", SCRAPE, ("check", "config")),
        ("amtool", WEBHOOK, ("check-config",)),
    ):
        path = tmp_path / f"{name}.yml"
        path.write_text(text)
        done = subprocess.run(
            [programs[name], *check, path], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

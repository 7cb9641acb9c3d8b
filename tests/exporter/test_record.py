"""What a target's record keeps from one run to the next."""

from __future__ import annotations

from exporter import metrics
from exporter.canary import Canary
from exporter.probes.mistral_models import MistralModels
from exporter.target import Exchange, Reason, State
from exporter.transport import Request
from tests.exporter.world import World, chat, exchange, says


async def test_what_a_server_refuses_is_learnt_once() -> None:
    """The run that was refused failed; the next is asked without the field, and it is shown."""

    def answer(request: Request) -> Exchange:
        if b'"max_tokens"' in request.body:
            refusal = b'{"error":{"message":"use another","param":"max_tokens"}}'
            return exchange(refusal, status=400)
        return says("Paris")

    world = World(answer)
    agent = world.agent(chat(Canary(name="c", prompt="p")))
    await agent.run_once()
    assert agent.record.failures[0].reason is Reason.HTTP_4XX
    assert len(world.asked) == 1
    await agent.run_once()
    assert agent.record.state(world.now) is State.OK
    assert b'"max_completion_tokens":64' in world.asked[-1][1].body
    (shown,) = agent.record.samples(world.now)[metrics.DIALECT]
    assert shown.labels == (("dialect", "auto"), ("left_out", "max_tokens"))
    agent.record.adopt(chat(Canary(name="c", prompt="p")), now=world.now)
    assert agent.record.question(0).left_out == frozenset()


async def test_the_date_of_a_models_retirement_is_shown_until_it_is_seen_to_change() -> None:
    """It stays over a failed run, and goes when the card names it no longer."""
    answers = iter(
        [
            exchange(b'{"id":"m","deprecation":"2027-03-31T12:00:00Z"}'),
            exchange(status=503),
            exchange(b'{"id":"m","deprecation":null}'),
        ]
    )
    world = World(lambda _: next(answers))
    target = MistralModels(name="t", url="http://h", interval=10, timeout=5, model="m")
    agent = world.agent(target)
    for shown in (1806494400.0, 1806494400.0, None):
        await agent.run_once()
        samples = agent.record.samples(world.now).get(metrics.RETIREMENT, ())
        assert [each.value for each in samples] == ([] if shown is None else [shown])

"""Prints the tables of both corpora: `python -m tests.responder.corpora`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from aiohttp.test_utils import TestServer

from responder.instructions import instruction_like
from responder.investigation.mistral import MistralAnalyst, MistralSettings
from tests.responder.corpora import secret_trial
from tests.responder.corpora.gullible import Gullible
from tests.responder.corpora.held_out import held_out
from tests.responder.corpora.injections import Injection, corpus
from tests.responder.corpora.ordinary import lines
from tests.responder.corpora.trial import Outcome, table, tried


async def _tried(injections: Sequence[Injection]) -> list[Outcome]:
    model = Gullible()
    server = TestServer(model.application())
    await server.start_server()
    settings = MistralSettings.model_validate(
        {"server_url": f"http://127.0.0.1:{server.port}", "ceilings": {"incident": {}}}
    )
    analyst = MistralAnalyst(settings)
    try:
        return [await tried(analyst, model, each) for each in injections]
    finally:
        await analyst.aclose()
        await server.close()


def main() -> int:
    """Print them; the exit code tells whether anything got through."""
    say = sys.stdout.write
    began = time.perf_counter()
    outcomes = asyncio.run(_tried(corpus()))
    unknown = asyncio.run(_tried(held_out()))
    taken = sum(bool(instruction_like(each)) for each in lines())
    say("Injections, before a model that obeys each of them\n")
    say(f"{table(outcomes)}\n")
    say("\nThe same of texts that the detector was never fitted to: it is a signal, no wall\n")
    say(f"{table(unknown)}\n")
    say(f"ordinary lines taken for instructions: {taken} of {len(lines())}\n\n")
    found = secret_trial.masked()
    say("Secrets, masked in what is stored, sent, logged and shown\n")
    say(f"{secret_trial.table(found)}\n")
    false = secret_trial.false_positives()
    say(f"ordinary lines with something masked: {len(false)} of {len(lines())}\n")
    say(f"{time.perf_counter() - began:.1f} s\n")
    got_through = any(each.got_through for each in outcomes) or any(each.leaks for each in found)
    got_through = got_through or any(each.has_acted for each in unknown)
    return int(got_through)


if __name__ == "__main__":
    sys.exit(main())

"""What `probe NAME` shows: phases to scale, chunks, checks, the verdict, and no secret."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, Literal

import pytest
from rich.console import Console

import exporter.probes  # noqa: F401 - registers the kinds
from exporter.access import Auth
from exporter.agent import JuniorAgent, Surroundings
from exporter.instruments import Instruments
from exporter.probe import probes
from exporter.record import TargetRecord
from exporter.target import (
    CheckResult,
    Chunk,
    Exchange,
    Native,
    Observation,
    Outcome,
    Reason,
    State,
    Target,
    Times,
)
from exporter.terminal import Shown, show
from exporter.transport import Request, open_transport
from exporter.witness import Said, Witness
from tests.exporter.servers import OK, says, serving
from toolkit.secrets import Secret

TOKEN = "t0ken-which-nobody-sees"
TIMES = Times(
    begin=10.0,
    resolve_begin=10.0,
    resolve_end=10.1,
    connect_begin=10.1,
    connect_end=10.2,
    tls_begin=10.2,
    tls_end=10.4,
    written=10.4,
    first_byte=10.8,
    end=11.0,
)
EXCHANGE = Exchange(
    times=TIMES,
    status=200,
    chunks=tuple(Chunk(at=at, data=b"x") for at in (10.8, 10.82, 10.84, 10.98, 11.0)),
)


def target(**fields: Any) -> Target:
    """Make a target with a credential."""
    auth = Auth(bearer=Secret(place="test", value=TOKEN))
    kind: Any = probes.get("http")
    made: Target = kind(name="page", url="http://h:80/a?key=query", auth=auth, **fields)
    return made


def outcome(**fields: Any) -> Outcome:
    """Make the record of a run, right unless it is said otherwise."""
    given: dict[str, Any] = {
        "canary": "",
        "prompt": None,
        "finished_timestamp_seconds": 1e9,
        "observation": Observation(status_code=200),
        "reason": None,
        "state": State.OK,
    }
    return Outcome(**{**given, **fields})


def printed(shown: Shown, *, is_terminal: bool = False, encoding: str = "utf-8") -> str:
    """Print to a console of 100 columns and return what came."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    colours: Literal["standard", "auto"] = "standard" if is_terminal else "auto"
    show(shown, Console(file=file, width=100, force_terminal=is_terminal, color_system=colours))
    file.flush()
    return raw.getvalue().decode(encoding)


def shown(**fields: Any) -> Shown:
    """Make what is shown."""
    given: dict[str, Any] = {
        "target": target(),
        "outcome": outcome(),
        "state": State.OK,
        "exchanges": (EXCHANGE,),
    }
    made = {**given, **fields}
    request = Request(method="GET", url="http://h:80/a", timeout_seconds=1.0, limit_bytes=1)
    said = [Said(request=request, exchange=each) for each in made.pop("exchanges")]
    return Shown(said=said, **made)


def test_phases_are_drawn_to_scale_where_they_lay() -> None:
    """Each bar begins and ends at its part of forty cells, none is invisible."""
    lines = printed(shown()).splitlines()
    bars = {line.split()[0]: line[24:].rstrip() for line in lines if " ms  " in line}
    cells = {name: (len(bar) - len(bar.lstrip()), len(bar.strip())) for name, bar in bars.items()}
    assert cells == {
        "resolve": (0, 4),
        "connect": (4, 4),
        "tls": (8, 8),
        "processing": (16, 16),
        "transfer": (32, 8),
    }
    short = replace(EXCHANGE, times=replace(TIMES, resolve_end=10.000001))
    (line,) = [
        each for each in printed(shown(exchanges=(short,))).splitlines() if "resolve" in each
    ]
    assert line.rstrip().endswith("▏")


def test_chunks_are_drawn_with_their_longest_gap() -> None:
    """The sparkline has a mark for each gap, the longest the highest."""
    text = printed(shown())
    assert "chunks      5 in 200.0 ms, longest gap 140.0 ms after the 3rd" in text
    assert "gaps      ▂▂█▂" in text


def test_many_chunks_fit_the_line_and_keep_their_peaks() -> None:
    """Of thousands of chunks the largest gap of each group stands."""
    times = [10.0 + 0.001 * n + (0.5 if n > 3333 else 0.0) for n in range(5000)]
    many = replace(EXCHANGE, chunks=tuple(Chunk(at=at, data=b"x") for at in times))
    (line,) = [each for each in printed(shown(exchanges=(many,))).splitlines() if "  gaps" in each]
    assert len(line.split()[1]) <= 60
    assert line.count("█") == 1


def test_checks_verdict_and_reason_are_told() -> None:
    """What held, what did not and why, the state, the reason and the answer each have a line."""
    made = outcome(
        reason=Reason.WRONG_ANSWER,
        detail="regex: the pattern matches nowhere",
        checks=(
            CheckResult(check="max_ttft", passed=True),
            CheckResult(check="regex", passed=False, detail="the pattern matches nowhere"),
        ),
        excerpt="Lyon",
    )
    text = printed(shown(outcome=made, state=State.WRONG))
    assert "check       max_ttft held\n" in text
    assert "check       regex not held: the pattern matches nowhere\n" in text
    assert "verdict     wrong\n" in text
    assert "reason      wrong_answer: regex: the pattern matches nowhere\n" in text
    assert "answer      Lyon\n" in text


def test_no_secret_and_no_command_reaches_the_terminal() -> None:
    """The token is masked wherever it came back, a query is left out, codes and markup are text."""
    hostile = f"[bold]{TOKEN}[/bold] \x1b[2J\x07 \u202eevil {TOKEN[:5]}\u200b{TOKEN[5:]}"
    made = outcome(
        reason=Reason.HTTP_5XX,
        detail=hostile,
        excerpt=hostile,
        canary="c",
        checks=(CheckResult(check="regex", passed=False, detail=hostile),),
        observation=Observation(served_model="\x1b]0;x\x07m", status_code=500),
    )
    for is_terminal in (False, True):
        text = printed(shown(outcome=made, state=State.DOWN), is_terminal=is_terminal)
        assert TOKEN not in text
        assert "query" not in text
        assert "[bold]<secret>[/bold]" in text
        assert "\x1b[2J" not in text
        assert "\x1b]" not in text
        assert not set("\x07\u202e\u200b") & set(text)


def test_plain_text_where_there_is_no_terminal() -> None:
    """Colours are for terminals alone; where only ASCII can be written, only ASCII is."""
    assert "\x1b" not in printed(shown())
    assert "\x1b[32m" in printed(shown(), is_terminal=True).replace("1;32", "32")
    ascii_text = printed(shown(), encoding="ascii")
    assert "processing" in ascii_text
    assert "################" in ascii_text


@pytest.mark.parametrize(
    "given",
    [
        {"outcome": None, "state": State.UNKNOWN},
        {"exchanges": ()},
        {"exchanges": (Exchange(times=Times(begin=1.0, end=1.0), failure=Reason.DNS),)},
        {"exchanges": (EXCHANGE, EXCHANGE)},
        {"exchanges": (replace(EXCHANGE, chunks=(Chunk(at=1.0, data=b""),) * 3),)},
    ],
)
def test_whatever_came_is_shown(given: dict[str, Any]) -> None:
    """No run, no exchange, an instant, several exchanges, chunks at one time: each has a page."""
    assert "page" in printed(shown(**given))


async def test_native_pages_are_no_part_of_the_run() -> None:
    """Of all that was asked meanwhile, the reads of the server's metrics are left out."""
    answer = says(OK + b"Content-Length: 2\r\n\r\nok")
    async with serving(answer) as url, serving(answer) as metrics, open_transport() as transport:
        watched = target(native=Native(url=metrics, server="vllm"), timeout=5.0).model_copy(
            update={"url": url}
        )
        witness = Witness(transport)
        around = Surroundings(transport=witness, instruments=Instruments())
        await JuniorAgent(TargetRecord(watched, now=0.0), around).run_once()
    made = Shown(target=watched, outcome=None, state=State.OK, said=witness.said)
    assert len(witness.said) > 1
    assert [exchange.body for exchange in made.exchanges] == [b"ok"]

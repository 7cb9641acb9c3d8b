"""One run as a person reads it in a terminal: phases to scale, chunks, checks, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from exporter.excerpt import clean, mask, secrets_of
from exporter.probe import probes
from exporter.target import Exchange, Outcome, State, Target
from exporter.witness import Said

_BAR_CELLS = 40
_SPARK_CELLS = 60
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_PLAIN_LEVELS = "_.-=+*#@"
_COLOURS: Mapping[State, str] = {
    State.OK: "green",
    State.DEGRADED: "yellow",
    State.SATURATED: "yellow",
    State.UNKNOWN: "yellow",
}
_LINE_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A run to show; `outcome` None where none was made, `state` is then unknown.

    `said` is all that was asked meanwhile, the reads of the server's own metrics among it.
    """

    target: Target
    outcome: Outcome | None
    state: State
    said: Sequence[Said] = ()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges of the run itself."""
        native_url = self.target.native.url if self.target.native else None
        return tuple(each.exchange for each in self.said if each.request.url != native_url)


def show(shown: Shown, console: Console) -> None:
    """Print the run; without colours where the console has none."""
    parts = list(_parts(shown, ascii_only=console.options.ascii_only))
    console.print(Group(*parts), highlight=False)


def _parts(shown: Shown, *, ascii_only: bool) -> Iterator[RenderableType]:
    yield from _title(shown)
    outcome = shown.outcome
    if outcome is None:
        yield Text("no run was made: the budget or the server's queue forbade it")
        return
    if outcome.canary:
        yield _line("canary", outcome.canary)
    for number, exchange in enumerate(shown.exchanges, start=1):
        of = f" {number} of {len(shown.exchanges)}" if len(shown.exchanges) > 1 else ""
        yield Text(f"\nphases{of}", style="bold")
        yield _phases(exchange, ascii_only=ascii_only)
        yield from _chunks(exchange, ascii_only=ascii_only)
    yield from _figures(outcome)
    yield from _checks(outcome, shown.target)
    yield from _verdict(shown, outcome)


def _title(shown: Shown) -> Iterator[RenderableType]:
    target = shown.target
    url = urlsplit(target.url or "")
    where = f"{url.scheme}://{url.netloc}{url.path}"  # a query may hold a key
    yield Text(target.name or "", style="bold")
    yield _line(
        "kind", " ".join(part for part in (probes.kind_of(target), target.model_name) if part)
    )
    yield _line("url", where)


def _phases(exchange: Exchange, *, ascii_only: bool) -> Table:
    """Draw each phase where it lay in the exchange's time, to scale."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=10)
    table.add_column(justify="right", min_width=10)
    table.add_column(no_wrap=True)
    whole = max(exchange.times.end - exchange.times.begin, 1e-9)
    for name, (begin, end) in _spans(exchange).items():
        bar = _bar((begin / whole, end / whole), ascii_only=ascii_only)
        table.add_row(name, _seconds(end - begin), Text(bar, style="cyan"))
    table.add_row("in all", _seconds(whole), Text(f"status {exchange.status or '-'}"))
    return table


def _spans(exchange: Exchange) -> dict[str, tuple[float, float]]:
    """Return when each phase began and ended, in seconds after the exchange's begin."""
    times = exchange.times
    begins = {
        "resolve": times.resolve_begin,
        "connect": times.connect_begin,
        "tls": times.tls_begin,
        "processing": times.written,
        "transfer": times.first_byte,
    }
    return {
        name: (begin - times.begin, begin - times.begin + duration)
        for name, duration in times.phases().items()
        if (begin := begins[name]) is not None
    }


def _bar(span: tuple[float, float], *, ascii_only: bool) -> str:
    """Draw a span of the whole (both from 0 to 1); what there is of it is never invisible."""
    begin, end = (round(min(max(each, 0.0), 1.0) * _BAR_CELLS * 8) for each in span)
    first = min(begin // 8, _BAR_CELLS - 1)
    eighths = max(end - first * 8, 1)
    if ascii_only:
        return " " * first + "#" * max(round(eighths / 8), 1)
    return " " * first + _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _chunks(exchange: Exchange, *, ascii_only: bool) -> Iterator[RenderableType]:
    """Draw how many chunks came when, over the time of the transfer."""
    times = [chunk.at for chunk in exchange.chunks]
    if len(times) < 2:
        return
    gaps = [after - before for before, after in pairwise(times)]
    longest = max(range(len(gaps)), key=gaps.__getitem__)
    yield Text(
        f"chunks      {len(times)} in {_seconds(times[-1] - times[0])}, longest gap"
        f" {_seconds(gaps[longest])} after the {_ordinal(longest + 1)}"
    )
    levels = _PLAIN_LEVELS if ascii_only else _LEVELS
    yield Text(f"  gaps      {_spark(gaps, levels)}", style="cyan")


def _spark(values: Sequence[float], levels: str) -> str:
    """Draw values against the largest; of more than fit, the largest of each group stands."""
    group = -(-len(values) // _SPARK_CELLS)
    drawn = [max(values[first : first + group]) for first in range(0, len(values), group)]
    top = max(drawn) or 1.0
    return "".join(levels[min(int(value / top * len(levels)), len(levels) - 1)] for value in drawn)


def _ordinal(number: int) -> str:
    teen = 10 <= number % 100 <= 20
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _figures(outcome: Outcome) -> Iterator[RenderableType]:
    seen = outcome.observation
    times = {
        "first token": seen.first_token_seconds,
        "first answer": seen.first_answer_seconds,
        "per token": seen.time_per_output_token_seconds,
    }
    known = [f"{name} {_seconds(value)}" for name, value in times.items() if value is not None]
    if seen.stream_buffered:
        known.append("the stream came all at once")
    if known:
        yield _line("stream", ", ".join(known))
    counts = {"prompt": seen.prompt_tokens, "output": seen.output_tokens}
    told = [f"{value} {name}" for name, value in counts.items() if value is not None]
    if told:
        yield _line("tokens", ", ".join(told))
    if seen.served_model or seen.version:
        model = " ".join(part for part in (seen.served_model, seen.version) if part)
        yield _line("served by", model)
    if outcome.certificate_expiry_timestamp_seconds is not None:
        left = outcome.certificate_expiry_timestamp_seconds - outcome.finished_timestamp_seconds
        yield _line("certificate", f"ends in {left / 86_400:.1f} days")


def _checks(outcome: Outcome, target: Target) -> Iterator[RenderableType]:
    for check in outcome.checks:
        detail = f": {_masked(check.detail, target)}" if check.detail and not check.passed else ""
        style = "green" if check.passed else "red"
        text = f"{check.check} {'held' if check.passed else f'not held{detail}'}"
        yield _line("check", text, style)


def _verdict(shown: Shown, outcome: Outcome) -> Iterator[RenderableType]:
    yield Text("")
    yield _line("verdict", shown.state, f"bold {_COLOURS.get(shown.state, 'red')}")
    if outcome.reason is not None or outcome.detail:
        said = ": ".join(part for part in (outcome.reason, outcome.detail) if part)
        yield _line("reason", _masked(said, shown.target))
    if outcome.excerpt:
        yield _line("answer", _masked(outcome.excerpt, shown.target))


def _masked(text: str, target: Target) -> str:
    secrets = secrets_of(target)
    return mask(clean(mask(text, secrets), _LINE_CHARACTERS), secrets)


def _line(name: str, text: str, style: str = "") -> Text:
    """Make a line; the text may be from outside, and is no markup."""
    return Text(f"{name:<12}").append(" ".join(clean(text, _LINE_CHARACTERS).split()), style=style)


def _seconds(value: float) -> str:
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.1f} ms" if value >= 1e-3 else f"{value * 1e6:.0f} us"

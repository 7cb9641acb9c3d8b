"""A report as plain text, for the terminal and for channels that take nothing else."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from responder.investigation.report import Cause, Claim, Report
from responder.investigation.wording import clock, date, span

WIDTH = 100
MOST_UNSEEN = 12


def render(report: Report) -> str:
    """Write the report; the first three lines say where to look, what to do, and how sure it is."""
    lines = [
        report.headline[:1].upper() + report.headline[1:],
        _first(report),
        _decision(report),
        "",
        *_section("What is known", _claims(report.summary)),
        *_section("Impact", _impact(report)),
        *_section("Causes", (row for n, c in enumerate(report.causes, 1) for row in _cause(n, c))),
        *_section("Timeline (UTC)", _timeline(report)),
        *_section("Checked against", _claims(report.ruled_out)),
        *_section("Unverified", _unverified(report)),
        *_section("Next", (_item(f"{a.text} [{a.source}]") for a in report.actions)),
        *_section("Decision", (_item(each) for each in report.decision.reasons)),
        *_section("Silence, if wanted", [f"  {report.decision.proposed_silence}"]),
        *_section("Coverage", _coverage(report)),
        *_section("Notes", (_item(each) for each in report.notes)),
        _footer(report),
    ]
    return "\n".join(lines) + "\n"


def _first(report: Report) -> str:
    cause = report.causes[0] if report.causes else None
    if cause is None:
        return "No cause is known."
    why = cause.claims[0].text if cause.claims else ""
    return f"First cause: {cause.component}, {cause.kind.value} ({cause.confidence.value}). {why}"


def _decision(report: Report) -> str:
    decision = report.decision
    ending = f"; {decision.escalation}" if decision.escalation else ""
    return f"Decision: {decision.kind.value}{ending}."


def _section(title: str, rows: Iterable[str]) -> list[str]:
    shown = [row for row in rows if row.strip()]
    return [title, *shown, ""] if shown else []


def _item(text: str, indent: str = "  ") -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=f"{indent}- ",
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _claims(claims: Iterable[Claim]) -> Iterator[str]:
    for claim in claims:
        yield _item(f"{claim.text} [{', '.join(claim.evidence)}]")


def _unverified(report: Report) -> Iterator[str]:
    for claim in report.unverified:
        yield _item(f"{claim.text} ({claim.problem})")


def _impact(report: Report) -> Iterator[str]:
    impact = report.impact
    for name, members in (
        ("affected", impact.affected),
        ("healthy", impact.healthy),
        ("not checked", impact.not_checked),
    ):
        if members:
            yield _item(f"{name}: {', '.join(members)}")


def _cause(number: int, cause: Cause) -> Iterator[str]:
    yield f"  {number}. {cause.component}: {cause.kind.value} ({cause.confidence.value} confidence)"
    for claim in cause.claims:
        yield _item(f"{claim.text} [{', '.join(claim.evidence)}]", "     ")


def _timeline(report: Report) -> Iterator[str]:
    for moment in report.timeline:
        text = textwrap.shorten(moment.text, WIDTH - 12, placeholder="…")
        yield f"  {clock(moment.at)}  {text}"


def _coverage(report: Report) -> Iterator[str]:
    counts = Counter(each.status.value for each in report.coverage)
    yield "  " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    unseen = [each for each in report.coverage if each.status.value != "ok"]
    for each in unseen[:MOST_UNSEEN]:
        detail = f" ({each.detail})" if each.detail else ""
        yield _item(f"{each.source}: {each.title}: {each.status.value}{detail}")
    if len(unseen) > MOST_UNSEEN:
        yield _item(f"{len(unseen) - MOST_UNSEEN} more")


def _footer(report: Report) -> str:
    parts = [f"analyst {report.analyst}"]
    if report.partial:
        parts.append("partial")
    if report.spend.model:
        tokens = report.spend.prompt_tokens + report.spend.output_tokens
        parts.append(f"{report.spend.model}, {tokens} tokens")
    if report.spend.price is not None:
        parts.append(f"{report.spend.price:.4f} {report.spend.currency}".strip())
    parts.append(f"written in {span(report.seconds)}")
    parts.append(f"{date(report.created_at)} UTC")
    return f"{report.id}: {'; '.join(parts)}"

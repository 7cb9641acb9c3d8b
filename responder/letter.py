"""A message as an email: text, HTML and the chart, in which nothing is fetched or run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from markupsafe import Markup

from responder import digest
from responder.channel import Message
from responder.digest import fit
from responder.investigation.render import render

_LONGEST_TEXT = 60_000
_LONGEST_SUBJECT = 180
_PICTURE = "chart@vigie"
# Light and dark alike: no colour is set, so that the reader's own hold; a chart has its own ground.
_HTML = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="color-scheme" content="light dark">'
    '<meta name="supported-color-schemes" content="light dark"><title>{title}</title></head>'
    '<body style="font-family:sans-serif;line-height:1.4;max-width:45em">'
    "<h2>{title}</h2>{first}{body}</body></html>"
)
_DRAWN = Markup('<p><img src="cid:{}" alt="chart of the first cause" width="640" height="180"></p>')


def message_id(key: str, sender: str) -> str:
    """Give the Message-ID of a message: the same whenever it is sent, so that repeats are known."""
    return f"<{key}@{sender.rpartition('@')[2]}>"


def letter(message: Message, sender: str, recipient: str, picture: bytes | None) -> EmailMessage:
    """Write the email; headers go by RFC 5322, and RFC 3834 for Auto-Submitted."""
    message = replace(message, report=digest.shortened(message.report))
    written = EmailMessage(policy=SMTP)
    written["From"] = f"Vigie <{sender}>"
    written["To"] = recipient
    # A header takes one line, and `title` gives no more.
    written["Subject"] = digest.title(message, _LONGEST_SUBJECT)
    written["Date"] = format_datetime(datetime.now(UTC))
    written["Message-ID"] = message_id(message.idempotency_key, sender)
    if message.reference:
        written["In-Reply-To"] = message.reference
        written["References"] = message.reference
    written["Auto-Submitted"] = "auto-generated"
    written["X-Vigie-Incident"] = fit(message.incident.id, 64)
    written.set_content(_text(message))
    written.add_alternative(_html(message, has_picture=picture is not None), subtype="html")
    if picture is not None:
        html = written.get_payload(1)
        html.add_related(  # type: ignore[union-attr]  # the second alternative is the HTML part
            picture, "image", "png", cid=f"<{_PICTURE}>", filename="chart.png", disposition="inline"
        )
    return written


def _text(message: Message) -> str:
    first = [digest.title(message), digest.what(message), digest.why(message.report)]
    first += [digest.todo(message.report), message.page_url]
    first += [fit(message.note)] if message.note else []
    rows = (fit(row, 1000) for row in render(message.report).splitlines())
    return "\n".join([*first, "", *rows])[:_LONGEST_TEXT] + "\n"


def _html(message: Message, *, has_picture: bool) -> str:
    report = message.report
    rows = [
        ("What", digest.what(message)),
        ("Cause", digest.why(report)),
        ("Do", digest.todo(report)),
        *([("New", fit(message.note))] if message.note else []),
    ]
    first = Markup("").join(Markup("<p><b>{}:</b> {}</p>").format(*row) for row in rows)
    link = Markup('<p><a href="{}">Open the incident</a></p>').format(message.page_url)
    parts = [
        _DRAWN.format(_PICTURE) if has_picture else Markup(""),
        _list("Causes", (digest.named(each) for each in report.causes)),
        _list("What is known", (fit(each.text) for each in report.summary)),
        _list("Timeline (UTC)", (_moment(each.at, each.text) for each in report.timeline)),
        _list("Checked against", (fit(each.text) for each in report.ruled_out)),
        _list("Unverified", (fit(each.text) for each in report.unverified)),
        _list("Next", (fit(f"{each.text} [{each.source}]") for each in report.actions)),
        _list("Notes", (fit(each) for each in report.notes)),
    ]
    title = digest.title(message)
    return str(_HTML.format(title=title, first=first + link, body=Markup("").join(parts)))


def _moment(at: float, text: str) -> str:
    return fit(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} {text}")


def _list(name: str, rows: Iterable[str]) -> Markup:
    shown = list(rows)
    if not shown:
        return Markup("")
    items = Markup("").join(Markup("<li>{}</li>").format(row) for row in shown)
    return Markup("<h3>{}</h3><ul>{}</ul>").format(name, items)

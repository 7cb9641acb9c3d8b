"""Writes one line of log for each message: the channel that is always there."""

from __future__ import annotations

import aiohttp
import structlog

from responder.channel import ChannelSettings, Delivered, Message, Rejected, Retry, channels

log = structlog.get_logger(__name__)


@channels.register("log")
class LogChannel(ChannelSettings):
    """Headline, first cause and decision of a report, as fields of one log line.

    In the configuration: `{kind: log}`.
    """

    name: str = "log"

    async def send(
        self,
        message: Message,
        session: aiohttp.ClientSession,  # noqa: ARG002 - the contract's; a log needs no network
        deadline_seconds: float,  # noqa: ARG002 - as above
    ) -> Delivered | Retry | Rejected:
        """Write the line; it cannot fail."""
        report = message.report
        first = report.causes[0] if report.causes else None
        log.info(
            "incident told",
            event_told=message.event,
            incident=message.incident.id,
            report=report.id,
            severity=message.incident.severity,
            headline=report.headline,
            cause=first.kind.value if first else "",
            component=first.component if first else "",
            decision=report.decision.kind.value,
            page=message.page_url,
            idempotency_key=message.idempotency_key,
        )
        return Delivered()

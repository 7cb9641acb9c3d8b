"""What a running program cannot change of its configuration."""

from __future__ import annotations

from responder.config import Config
from toolkit.problem import ConfigError, Problem


def refuse_lasting(before: Config, after: Config) -> None:
    """Refuse the changes that a running program cannot follow; raises ConfigError."""
    lasting = {
        "database": (before.database, after.database),
        "concurrency": (before.concurrency, after.concurrency),
        "replica": (before.replica, after.replica),
        "limits.waiting_posts": (before.limits.waiting_posts, after.limits.waiting_posts),
    }
    problems = [
        Problem(
            place="reload",
            path=path,
            problem="cannot change while the program runs",
            remedy="restart it",
        )
        for path, (old, new) in lasting.items()
        if old != new
    ]
    if problems:
        raise ConfigError(problems)

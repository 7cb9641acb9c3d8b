"""What may be set about the rounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

import responder.patrol.looks  # noqa: F401 - they register themselves
from responder.patrol.look import looks
from toolkit.problem import fault
from toolkit.settings import Duration, Settings


def _known(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in looks:
            known = ", ".join(sorted(looks))
            raise fault(f"there is no look {name[:40]!r}", f"the looks are {known}")
    return value


class PatrolSettings(Settings):
    """The rounds: how often, what with, and what comes of what they find.

    They need a source of kind prometheus; one of kind alertmanager is where findings are raised.
    """

    enabled: bool = True
    """Whether there are rounds at all."""
    interval: Duration = Field(default=600.0, ge=1)
    """How long after a round the next one begins."""
    deadline: Duration = Field(default=60.0, gt=0)
    """How long a round may take; what it has not seen by then, it says it has not."""
    window: Duration = Field(default=3600.0, ge=6)
    """How much of the time just past is looked at."""
    compare_with: tuple[Duration, ...] = Field(default=(7 * 86400.0, 86400.0), max_length=10)
    """How far back the same time of day lies that it is compared with; the first with data."""
    without: Annotated[tuple[str, ...], AfterValidator(_known)] = ()
    """Looks that are left out."""
    raises: bool = True
    """Whether what is serious is raised through Alertmanager."""
    raise_after: int = Field(default=2, ge=1, le=100)
    """Rounds in a row that have to find it before it is raised."""
    clear_after: int = Field(default=2, ge=1, le=100)
    """Rounds in a row that must not find it before it is held for over."""

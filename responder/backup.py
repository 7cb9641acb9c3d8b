"""The backup command: a copy that a responder can be started on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from responder.store import copies
from responder.store.engine import url_of

ELSEWHERE = 2
"""The exit code where the database is a server's, which has a tool of its own."""


def run(database: str, directory: Path, to: Path, say: Callable[[str], None]) -> int:
    """Copy *database*, a path or URL seen from *directory*, to *to*; give the exit code.

    The responder may run meanwhile: what it acknowledged before is in the copy. Raises StoreError.
    """
    url = url_of(database, directory)
    if not copies.is_file(url):
        say(
            "database: PostgreSQL backs itself up; run, with its password in PGPASSWORD,\n"
            f"  {copies.dump_command(url, to)}"
        )
        return ELSEWHERE
    main, workflows = copies.copy(url, to.absolute())
    say(
        f"{main} and {workflows} are whole.\nTo restore: stop the responder, and set `database` to"
        " the first, or move both to where its files were, without their -wal and -shm."
    )
    return 0

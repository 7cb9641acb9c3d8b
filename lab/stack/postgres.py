"""A real PostgreSQL in a temporary folder: found or unpacked, started, stopped, killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack.command import tail
from lab.stack.errors import StackError
from lab.stack.ports import free_addresses
from lab.stack.postgres_debian import library_path, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = "PostgreSQL"
_INSTALLED = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres", "pg_ctl", "psql", "pg_dump")
_NOBODY = 65534
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_COMMAND_SECONDS = 60.0
_POLL_SECONDS = 0.05
_USER = "vigie"


def find(environ: Mapping[str, str]) -> Path | None:
    """Give the folder of an installed server's programs: PATH's, else the newest of Debian's."""
    on_path = shutil.which("initdb", path=environ.get("PATH", ""))
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(_INSTALLED.glob("*/bin"), key=_major, reverse=True)
    for folder in folders:
        if all((folder / name).is_file() for name in _NEEDED):
            return folder
    return None


def _major(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0


@dataclass(kw_only=True, slots=True)
class Cluster:
    """One server on loopback with a folder of its own; every write is synced to disk."""

    programs: Path
    folder: Path
    port: int
    _server: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def url(self, name: str) -> str:
        """Make the database *name* unless it is there, and give its URL."""
        if name not in self._psql("-tAc", "SELECT datname FROM pg_database").split():
            self._psql("-c", f'CREATE DATABASE "{name}"')
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """The process id of the server while it runs."""
        if self._server is None:
            raise StackError(_NAME, "not started", "start it first")
        return self._server.pid

    def start(self) -> None:
        """Start the server and wait until it answers; raises StackError."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [*_as_nobody(), str(self.programs / "postgres"), "-D", str(self.folder / "data")],
                env=_environ(self.programs),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._server.poll() is None:
            with contextlib.suppress(StackError):
                self._psql("-tAc", "SELECT 1")
                return
            time.sleep(_POLL_SECONDS)
        raise StackError(_NAME, "does not start", f"see {log}", output=tail(log))

    def stop(self) -> None:
        """Stop the server, ending its connections; nothing happens when it does not run."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server as a crash would; its backends end with it."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Stop the server and its backends where they are: they keep their connections."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        for pid in (self.pid, *map(int, children.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is None or server.poll() is not None:
            return
        server.send_signal(number)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(_STOP_SECONDS)

    def _psql(self, *arguments: str) -> str:
        to = ("-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-d", "postgres")
        return _run(self.programs, [str(self.programs / "psql"), "-X", *to, *arguments])


@contextlib.contextmanager
def cluster(environ: Mapping[str, str]) -> Iterator[Cluster]:
    """Run a server in a temporary folder for the time of the context; raises StackError."""
    installed = find(environ)
    folder = Path(tempfile.mkdtemp(prefix="vigie-postgresql-"))
    try:
        programs = installed or _brought(unpacked(environ), folder)
        if os.geteuid() == 0:  # the server refuses to run as root
            os.chown(folder, _NOBODY, _NOBODY)
        _initialise(programs, folder)
        address = free_addresses(["postgresql"])["postgresql"]
        server = Cluster(programs=programs, folder=folder, port=int(address.rpartition(":")[2]))
        _configure(server)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _brought(kept: Path, folder: Path) -> Path:
    """Copy an unpacked server to where an ordinary user may read it, which a cache may not be."""
    tree = kept.parents[4]
    shutil.copytree(tree, folder / "server", symlinks=True)
    return folder / "server" / kept.relative_to(tree)


def _initialise(programs: Path, folder: Path) -> None:
    settings = ["-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-D", str(folder / "data")]
    _run(programs, [*_as_nobody(), str(programs / "initdb"), *settings])


def _configure(server: Cluster) -> None:
    lines = (
        "listen_addresses = '127.0.0.1'",
        f"port = {server.port}",
        "unix_socket_directories = ''",
        "fsync = on",
        "max_connections = 200",
        "shared_buffers = 32MB",
        "jit = off",
    )
    with (server.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _as_nobody() -> list[str]:
    """Give what starts a program as an ordinary user, and ends it with this process."""
    tool = shutil.which("setpriv")
    if tool is None:
        if os.geteuid() == 0:
            raise StackError(_NAME, "will not run as root, and there is no setpriv", "be a user")
        return []
    user = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    return [tool, "--pdeathsig=KILL", *(user if os.geteuid() == 0 else [])]


def _environ(programs: Path) -> dict[str, str]:
    libraries = library_path(programs)
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": libraries}


def _run(programs: Path, argv: list[str]) -> str:
    try:
        done = subprocess.run(
            argv,
            env=_environ(programs),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(_NAME, f"{argv[0]}: {type(error).__name__}", "see the machine") from error
    printed = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise StackError(_NAME, f"{Path(argv[0]).name} failed", "see below", output=printed)
    return printed

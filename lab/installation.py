"""The whole of it on one machine: lab, exporter, responder, Prometheus and Alertmanager."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from lab.addresses import SHIPPED
from lab.platform import Platform
from lab.stack.configuration import DEMO_FACTOR, Fit, Shipped
from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.runner import ALERTMANAGER, PROMETHEUS, Stack
from lab.stack.scale import EXPORTER_KEYS, RESPONDER_KEYS, map_addresses, scale_keys

ROOT = Path(__file__).resolve().parent.parent
EXPORTER = "exporter:10917"
RESPONDER = "responder:10918"
MISTRAL = "mistral:8099"
STAND_IN_KEY = "lab-key-0123456789abcdef"

Settings = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to set it up.

    `programs` are the paths of prometheus, promtool, alertmanager and amtool; `factor` divides the
    durations of the shipped files; `analyst` is who writes the reports: the embedded analyst, the
    model's stand-in, or Mistral itself, for which `environ` holds the key. `edit_exporter` and
    `edit_responder` change a configuration before it is written. Without `lab`, no part of the lab
    runs, and `targets` are what Prometheus scrapes in its place.
    """

    folder: Path
    programs: Mapping[str, Path]
    environ: Mapping[str, str]
    factor: float = DEMO_FACTOR
    analyst: Literal["embedded", "stand-in", "mistral"] = "embedded"
    edit_exporter: Callable[[Settings], None] | None = None
    edit_responder: Callable[[Settings], None] | None = None
    lab: bool = True
    targets: Path = ROOT / "lab" / "targets.yml"
    extra: Mapping[str, str] = field(default_factory=dict)


class Installation:
    """All programs for as long as the `async with` lasts; their logs stay in the folder."""

    def __init__(self, plan: Plan) -> None:
        """Choose the addresses; nothing starts before `async with`."""
        self.plan = plan
        self.folder = plan.folder
        names = (*SHIPPED, EXPORTER, RESPONDER, PROMETHEUS, ALERTMANAGER, MISTRAL)
        self.addresses: Mapping[str, str] = free_addresses(names) | dict(plan.extra)
        self.platform = Platform(
            addresses=self.addresses,
            folder=self.folder / "lab",
            certs_folder=self.folder / "certs",
            changes_to=f"{self.url(RESPONDER)}/webhook/change",
        )
        self.exporter = self._program("exporter", EXPORTER, "--config.file=exporter.yml")
        self.responder = self._program("responder", RESPONDER, "--config.file=responder.yml")
        self.mistral = self._stand_in()
        self.stack = Stack(
            programs=plan.programs,
            folder=self.folder / "stack",
            shipped=Shipped(rules=ROOT / "rules", targets=(plan.targets,)),
            fit=Fit(
                addresses=self.addresses,
                factor=plan.factor,
                external_labels={"vigie_url": self.url(RESPONDER)},
            ),
        )
        self._exit = contextlib.AsyncExitStack()

    def url(self, name: str) -> str:
        """Where the program of a shipped address listens here."""
        return f"http://{self.addresses[name]}"

    async def __aenter__(self) -> Self:
        """Write the configuration and start everything, the lab first."""
        for name in ("lab", "certs", "log", "stack"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._configure()
        async with contextlib.AsyncExitStack() as exit_stack:
            if self.plan.lab:
                await exit_stack.enter_async_context(self.platform)
            for program in (self.mistral, self.exporter, self.responder):
                if program is not None:
                    exit_stack.push_async_callback(program.stop)
                    await program.start()
            await exit_stack.enter_async_context(self.stack)
            self._exit = exit_stack.pop_all()
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop everything, the lab last."""
        await self._exit.aclose()

    def source_kinds(self) -> tuple[str, ...]:
        """Return the kinds of the sources that the responder was configured with."""
        text = (self.folder / "responder.yml").read_text(encoding="utf-8")
        return tuple(source["kind"] for source in yaml.safe_load(text)["sources"])

    def check(self) -> None:
        """Raise StackError, with the log's tail, when a program has ended by itself."""
        self.exporter.check()
        self.responder.check()
        self.stack.check()

    def _configure(self) -> None:
        exporter = _shipped("exporter.yml")
        if self.plan.edit_exporter is not None:
            self.plan.edit_exporter(exporter)
        self._write("exporter.yml", exporter, EXPORTER_KEYS)
        responder = _shipped("responder.yml")
        self._adapt(responder)
        self._write("responder.yml", responder, RESPONDER_KEYS)

    def _adapt(self, settings: Settings) -> None:
        """Give the responder this machine's folders, its own address, and the analyst wanted."""
        settings["database"] = str(self.folder / "responder.db")
        settings["external_url"] = self.url(RESPONDER)
        for source in settings["sources"]:
            if source["kind"] == "runbooks":
                source["folder"] = str(ROOT / "rules" / "runbooks")
        settings["analyst"] = self._analyst()
        if self.plan.edit_responder is not None:
            self.plan.edit_responder(settings)

    def _analyst(self) -> Settings:
        if self.plan.analyst == "embedded":
            return {"kind": "embedded"}
        model: Settings = {"kind": "mistral", "model": "mistral-small-latest"}
        if self.plan.analyst == "mistral":
            return model | {"api_key": {"env": "MISTRAL_API_KEY"}}
        key = self.folder / "mistral.key"
        key.write_text(STAND_IN_KEY, encoding="utf-8")
        return model | {
            "api_key": {"file": str(key)},
            "server_url": f"http://{MISTRAL}",
            "deadline": "8s",
        }

    def _write(self, name: str, settings: Settings, keys: frozenset[str]) -> None:
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        scaled = scale_keys(text, keys, self.plan.factor)
        (self.folder / name).write_text(map_addresses(scaled, self.addresses), encoding="utf-8")

    def _program(self, module: str, address: str, *flags: str) -> Process:
        listen = f"--web.listen-address={self.addresses[address]}"
        return Process(
            Launch(
                name=module,
                argv=(sys.executable, "-m", module, *flags, listen),
                folder=self.folder,
                log=self.folder / f"{module}.log",
                ready_url=f"{self.url(address)}/-/ready",
                environ=dict(self.plan.environ) | {"PYTHONPATH": str(ROOT)},
            )
        )

    def _stand_in(self) -> Process | None:
        if self.plan.analyst != "stand-in":
            return None
        flags = (f"--listen={self.addresses[MISTRAL]}", f"--key={STAND_IN_KEY}")
        return Process(
            Launch(
                name="mistral",
                argv=(sys.executable, "-m", "lab.mistral", *flags),
                log=self.folder / "mistral.log",
                ready_url=f"{self.url(MISTRAL)}/healthz",
                environ=dict(self.plan.environ) | {"PYTHONPATH": str(ROOT)},
            )
        )


def _shipped(name: str) -> Settings:
    settings: Settings = yaml.safe_load((ROOT / "lab" / name).read_text(encoding="utf-8"))
    return settings

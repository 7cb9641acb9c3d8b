"""The lab's configuration files fit the lab, and the programs that read them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import yaml

from exporter.config import load as load_exporter
from lab.addresses import SHIPPED
from lab.component import Site
from lab.components import gateway
from lab.processes import COMPONENTS
from lab.stack.scale import EXPORTER_KEYS, RESPONDER_KEYS, scale_keys
from lab.tiny_model import answer
from lab.truth import load
from responder.config import load_config as load_responder

LAB = Path(__file__).resolve().parents[2] / "lab"


def read(name: str) -> Any:
    """Return a shipped file as data."""
    return yaml.safe_load((LAB / name).read_text())


def with_authority(folder: Path) -> Path:
    """Copy the exporter's file beside the certificates that a gateway makes."""
    addresses = dict.fromkeys(SHIPPED, "127.0.0.1:9")
    gateway.build(Site(addresses=addresses, version="1", certs_dir=folder / "certs"))
    path = folder / "exporter.yml"
    path.write_text((LAB / "exporter.yml").read_text())
    return path


def test_the_exporter_reads_its_file(tmp_path: Path) -> None:
    """As shipped and scaled down it is right, and each target is labelled with its component."""
    path = with_authority(tmp_path)
    config = load_exporter(path, environ={})
    assert not list(config.warnings())
    for target in config.targets:
        assert target.labels["service"] in COMPONENTS
    path.write_text(scale_keys(path.read_text(), EXPORTER_KEYS, 15))
    assert {t.interval_seconds for t in load_exporter(path, environ={}).targets} == {2.0}


def test_the_responder_reads_its_file(tmp_path: Path) -> None:
    """As shipped and scaled down it is right, and its topology is of the lab's components."""
    config = load_responder(LAB / "responder.yml", {})
    assert {name for call in config.topology.calls for name in call} <= set(COMPONENTS)
    # Its paths count from its folder: the copy stands where the runbooks are as far away.
    (tmp_path / "rules" / "runbooks").mkdir(parents=True)
    scaled = tmp_path / "lab" / "responder.yml"
    scaled.parent.mkdir()
    scaled.write_text(scale_keys((LAB / "responder.yml").read_text(), RESPONDER_KEYS, 15))
    assert load_responder(scaled, {}).incidents.quiet == 1.0


def test_every_component_with_a_port_is_scraped() -> None:
    """Prometheus finds each at its shipped address, labelled with its name."""
    found = {group["labels"]["service"]: group["targets"] for group in read("targets.yml")}
    listening = {name for name in SHIPPED if name.split(":")[0] in COMPONENTS}
    assert set(found) == {name.split(":")[0] for name in listening}
    for service, targets in found.items():
        assert set(targets) <= {name for name in listening if name.startswith(f"{service}:")}


def test_every_faulty_component_can_be_named_by_the_topology_or_a_target() -> None:
    """No fault is of a component that the responder has never heard of."""
    calls = read("responder.yml")["topology"]["calls"]
    assert {truth.component for truth in load().values()} <= {n for call in calls for n in call}


def test_the_canaries_tell_right_from_wrong() -> None:
    """What each canary looks for is in the model's right answer, and not in its wrong one."""
    words = {"capital": "Paris", "sum": "42"}
    chat = next(t for t in read("exporter.yml")["targets"] if t["name"] == "chat")
    for canary in chat["canaries"]:
        assert words[canary["name"]] in "".join(answer(canary["prompt"]))
        assert words[canary["name"]] not in "".join(answer(canary["prompt"], wrong=True))
        assert len(answer(canary["prompt"])) == 16


async def test_a_wrong_flag_is_refused_with_its_remedy() -> None:
    """The lab says what is wrong and exits, before it starts anything."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab", "--address=nobody:1=127.0.0.1:1"),
        cwd=LAB.parent,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert b"NAME is one of gateway:8080" in said

"""Third-party model servers, started for real on free ports of loopback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process

HERE = Path(__file__).parent
MLSERVER = "mlserver"
SIMULATOR = "simulator"


def mlserver(environment: Path, folder: Path) -> tuple[Process, dict[str, str]]:
    """Return MLServer over a small scikit-learn model, and its addresses (rest, metrics)."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("rest", "grpc", "metrics"))
    python = environment / "bin" / "python"
    subprocess.run([python, HERE / "fraud" / "train.py"], cwd=folder, check=True, timeout=120)
    (folder / "model-settings.json").write_text((HERE / "fraud/model-settings.json").read_text())
    ports = {name: int(address.rpartition(":")[2]) for name, address in addresses.items()}
    settings = {
        "host": "127.0.0.1",
        "http_port": ports["rest"],
        "grpc_port": ports["grpc"],
        "metrics_port": ports["metrics"],
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    launch = Launch(
        name=MLSERVER,
        argv=(str(environment / "bin" / "mlserver"), "start", "."),
        folder=folder,
        log=folder / "mlserver.log",
        ready_url=f"http://{addresses['rest']}/v2/models/fraud/ready",
    )
    return Process(launch), addresses


def simulator(program: Path, folder: Path) -> tuple[Process, str]:
    """Return llm-d-inference-sim, which speaks vLLM's API and metrics, and its address."""
    folder.mkdir(parents=True)
    address = free_addresses((SIMULATOR,))[SIMULATOR]
    launch = Launch(
        name=SIMULATOR,
        argv=(
            str(program),
            "--model=simulated",
            f"--port={address.rpartition(':')[2]}",
            "--mode=echo",
            "--time-to-first-token=20ms",
            "--inter-token-latency=5ms",
            "--max-num-seqs=8",
        ),
        folder=folder,
        log=folder / "simulator.log",
        ready_url=f"http://{address}/v1/models",
    )
    return Process(launch), address

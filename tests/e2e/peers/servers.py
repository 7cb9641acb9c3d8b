"""Third-party model servers, started for real on free ports of loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from lab.stack.ports import free_addresses
from lab.stack.process import Launch, Process
from lab.stack.progress import Progress
from lab.stack.provide import provide

HERE = Path(__file__).parent
MLSERVER = "mlserver"
SIMULATOR = "simulator"
KSERVE = "kserve"
MLFLOW = "mlflow"
LITELLM = "litellm"
LITELLM_KEY = "sk-only-for-the-tests-0123456789"
BRISK = ("--time-to-first-token=20ms", "--inter-token-latency=5ms", "--max-num-seqs=8")

Addresses = Mapping[str, str]


@asynccontextmanager
async def running(process: Process, within_seconds: float = 120) -> AsyncIterator[None]:
    """Run a server as long as the context lasts; what imports much starts slowly.

    What it started and left behind is killed: it is of its process group.
    """
    await process.start(within_seconds)
    group = process.pid
    try:
        yield
    finally:
        await process.stop()
        if group is not None:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


def port_of(address: str) -> str:
    """Return the port of host:port."""
    return address.rpartition(":")[2]


def mlserver(environment: Path, folder: Path) -> tuple[Process, dict[str, str]]:
    """Return MLServer over a small scikit-learn model, and its addresses (rest, metrics)."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("rest", "grpc", "metrics"))
    python = environment / "bin" / "python"
    subprocess.run([python, HERE / "fraud" / "train.py"], cwd=folder, check=True, timeout=120)
    (folder / "model-settings.json").write_text((HERE / "fraud/model-settings.json").read_text())
    ports = {name: int(port_of(address)) for name, address in addresses.items()}
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


def kserve(environment: Path, folder: Path) -> tuple[Process, Addresses]:
    """Return KServe's Python server over a model that adds up rows (rest, grpc)."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("rest", "grpc"))
    launch = Launch(
        name=KSERVE,
        argv=(
            str(environment / "bin" / "python"),
            str(HERE / "served" / "kserve_model.py"),
            f"--http_port={port_of(addresses['rest'])}",
            f"--grpc_port={port_of(addresses['grpc'])}",
        ),
        folder=folder,
        log=folder / "kserve.log",
        ready_url=f"http://{addresses['rest']}/v2/models/sums/ready",
    )
    return Process(launch), addresses


def mlflow(environment: Path, folder: Path) -> tuple[Process, str]:
    """Return MLflow's scoring server over a model that adds up rows, and its address."""
    folder.mkdir(parents=True)
    address = free_addresses((MLFLOW,))[MLFLOW]
    programs = environment / "bin"
    model = HERE / "served" / "mlflow_model.py"
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}  # it starts `uvicorn`
    subprocess.run([programs / "python", model], cwd=folder, check=True, timeout=180, env=environ)
    launch = Launch(
        name=MLFLOW,
        argv=(
            *(str(programs / "mlflow"), "models", "serve", "--model-uri=model"),
            *("--env-manager=local", "--host=127.0.0.1", f"--port={port_of(address)}"),
        ),
        folder=folder,
        log=folder / "mlflow.log",
        ready_url=f"http://{address}/ping",
        environ=environ,
    )
    return Process(launch), address


def litellm(environment: Path, folder: Path, upstreams: Mapping[str, str]) -> tuple[Process, str]:
    """Return LiteLLM's proxy before these servers, by the model's name, and its address."""
    folder.mkdir(parents=True)
    address = free_addresses((LITELLM,))[LITELLM]
    (folder / "config.yml").write_text(yaml.safe_dump(_proxied(upstreams)))
    launch = Launch(
        name=LITELLM,
        argv=(
            str(environment / "bin" / "litellm"),
            *("--config=config.yml", "--host=127.0.0.1", f"--port={port_of(address)}"),
        ),
        folder=folder,
        log=folder / "litellm.log",
        ready_url=f"http://{address}/health/readiness",
        environ={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    return Process(launch), address


def _proxied(upstreams: Mapping[str, str]) -> dict[str, Any]:
    common = {"model": "openai/simulated", "api_key": "none", "max_retries": 0}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {**common, "api_base": f"http://{address}/v1"}}
            for name, address in upstreams.items()
        ],
        "litellm_settings": {"callbacks": ["prometheus"], "telemetry": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": LITELLM_KEY},
    }


def triton(environment: Path, folder: Path) -> tuple[Process, Addresses]:
    """Return Triton over a model that adds up rows, and its addresses (rest, grpc, metrics)."""
    folder.mkdir(parents=True)
    addresses = free_addresses(("rest", "grpc", "metrics"))
    ports = [port_of(addresses[name]) for name in ("rest", "grpc", "metrics")]
    launch = Launch(
        name="triton",
        argv=(str(environment / "bin" / "python"), str(HERE / "served/triton_model.py"), *ports),
        folder=folder,
        log=folder / "triton.log",
        # /v2/health/ready answers before the model is loaded.
        ready_url=f"http://{addresses['rest']}/v2/models/sums/ready",
        environ={**os.environ, "PYTRITON_HOME": str(folder / "home")},
    )
    return Process(launch), addresses


def simulator_program(cache: Path) -> Path:
    """Return llm-d-inference-sim, built once."""
    progress = Progress(sys.stderr)
    wanted = ("llm-d-inference-sim",)
    found = provide(wanted, flavour="current", root=cache, environ=os.environ, progress=progress)
    return found[wanted[0]].path


def simulator(program: Path, folder: Path, flags: Sequence[str] = BRISK) -> tuple[Process, str]:
    """Return llm-d-inference-sim, which speaks vLLM's API and metrics, and its address."""
    folder.mkdir(parents=True)
    address = free_addresses((SIMULATOR,))[SIMULATOR]
    launch = Launch(
        name=SIMULATOR,
        argv=(
            str(program),
            "--model=simulated",
            f"--port={port_of(address)}",
            "--mode=echo",
            *flags,
        ),
        folder=folder,
        log=folder / "simulator.log",
        ready_url=f"http://{address}/v1/models",
    )
    return Process(launch), address

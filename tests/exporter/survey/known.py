"""What must come out of `init`, by server, and how it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter import config
from exporter.survey.command import Asked, propose
from exporter.transport import open_transport
from tests.exporter.survey import llm, predictive
from tests.exporter.survey.standins import KEY, Standin

ENVIRON = {"MODEL_KEY": KEY}

# What must come out, by the stand-in: the kind of server, the target's own settings.
KNOWN: dict[str, tuple[str, Standin, dict[str, Any]]] = {
    "vllm": (
        "vllm",
        llm.VLLM,
        {
            "kind": "openai_chat",
            "dialect": "vllm",
            "model": "Qwen/Qwen2.5-0.5B-Instruct",
            "native": ("vllm", 0, "/metrics"),
        },
    ),
    "sglang": (
        "sglang",
        llm.SGLANG,
        {"kind": "openai_chat", "dialect": "sglang", "native": ("sglang", 0, "/metrics")},
    ),
    "tgi": (
        "tgi",
        llm.TGI,
        {"kind": "openai_chat", "dialect": "auto", "native": ("tgi", 0, "/metrics")},
    ),
    "llamacpp": (
        "llamacpp",
        llm.LLAMACPP,
        {"kind": "openai_chat", "dialect": "auto", "model": "qwen3.gguf", "native": None},
    ),
    "ollama": (
        "ollama",
        llm.OLLAMA,
        {"kind": "openai_chat", "dialect": "ollama", "model": "llama3.2:3b", "native": None},
    ),
    "mistral": (
        "mistral",
        llm.MISTRAL,
        {"kind": "openai_chat", "dialect": "mistral", "model": "mistral-small-latest"},
    ),
    "openai": (
        "openai",
        llm.OPENAI,
        {"kind": "openai_chat", "dialect": "openai", "model": "gpt-4.1-mini"},
    ),
    "anthropic": (
        "anthropic",
        llm.ANTHROPIC,
        {"kind": "anthropic_messages", "model": "claude-haiku-4-5"},
    ),
    "litellm": (
        "litellm",
        llm.LITELLM,
        {"kind": "openai_chat", "dialect": "auto", "native": ("litellm", 0, "/metrics/")},
    ),
    "kserve_openai": (
        "kserve_openai",
        predictive.KSERVE_OPENAI,
        {"kind": "openai_chat", "dialect": "kserve", "native": ("kserve", 0, "/metrics")},
    ),
    "compatible": (
        "openai_compatible",
        llm.COMPATIBLE,
        {"kind": "openai_chat", "dialect": "vllm", "native": ("vllm", 0, "/metrics")},
    ),
    "triton": (
        "triton",
        predictive.TRITON,
        {"kind": "oip", "model": "fraud", "native": ("triton", 2, "/metrics")},
    ),
    "triton text": (
        "triton",
        predictive.TRITON_TEXT,
        {"kind": "triton_generate", "model": "fraud", "native": None},
    ),
    "mlserver": (
        "mlserver",
        predictive.MLSERVER,
        {"kind": "oip", "model": "fraud", "native": ("mlserver", 2, "/metrics")},
    ),
    "oip": ("oip", predictive.OIP, {"kind": "oip", "model": "named"}),
    "kserve v1": (
        "kserve_v1",
        predictive.KSERVE_V1,
        {"kind": "kserve_v1", "model": "sklearn-iris", "native": ("kserve", 0, "/metrics")},
    ),
    "tf serving": (
        "tf_serving",
        predictive.TF_SERVING,
        {
            "kind": "tf_serving",
            "model": "named",
            "native": ("tf_serving", 0, "/monitoring/prometheus/metrics"),
        },
    ),
    "torchserve": (
        "torchserve",
        predictive.TORCHSERVE,
        {"kind": "torchserve", "model": "densenet161", "native": ("torchserve", 2, "/metrics")},
    ),
    "mlflow": ("mlflow", predictive.MLFLOW, {"kind": "mlflow", "native": None}),
}
UNLISTED = {"oip", "tf_serving"}
"""Servers that do not say which models they have."""


async def proposed(url: str, **asked: Any) -> str:
    """Run `init` and return what it would print."""
    async with open_transport() as transport:
        return await propose(Asked(url=url, **asked), transport, ENVIRON)


def loaded(text: str, tmp_path: Path) -> Any:
    """Load what was printed as the exporter loads its file; nothing is warned of."""
    path = tmp_path / "exporter.yml"
    path.write_text(text)
    read = config.load(path, environ=ENVIRON)
    assert list(read.warnings()) == []
    (target,) = read.targets
    return target

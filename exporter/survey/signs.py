"""What gives each server away, and what follows from it: two tables, and how they are read; pure.

The forms are those of each server's own documentation or source, which the rows name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError

from exporter.dialect import Name as Dialect
from exporter.pattern import compiled

Kind = Literal[
    "vllm", "sglang", "tgi", "llamacpp", "ollama", "mistral", "openai", "anthropic", "litellm",
    "kserve_openai", "openai_compatible", "triton", "mlserver", "oip", "kserve_v1", "tf_serving",
    "torchserve", "mlflow",
]  # fmt: skip

_LIST = "v1/models"
_IS_LIST = "object == 'list' && type(data[0].id) == 'string'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One read-only question: a path under the address, on its port or one beside it."""

    path: str
    beside: int = 0
    method: Literal["GET", "POST"] = "GET"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a page answered; `status` None where nothing came, `document` None where no JSON did."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    text: str = ""
    document: Any = None
    failure: str = ""

    def at(self, expression: str) -> Any:
        """Return what stands at a JMESPath; None where it finds nothing."""
        try:
            return jmespath.compile(expression).search(self.document)
        except (JMESPathError, RecursionError):
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """What is looked for in one page's answer: all that is set must hold.

    `holds` is a JMESPath that must be true, `header` one that must be there, `says` a pattern in
    the text.
    """

    path: str
    holds: str = ""
    header: str = ""
    says: str = ""
    status: int | None = None

    def seen_in(self, answer: Answer) -> bool:
        """Say whether the answer shows it."""
        if answer.status is None or (self.status is not None and answer.status != self.status):
            return False
        if self.header and self.header not in answer.headers:
            return False
        if self.says and not compiled(self.says).found_in(answer.text):
            return False
        return not self.holds or answer.at(self.holds) is True


def _list(holds: str) -> Sign:
    return Sign(path=_LIST, holds=holds)


def _owned(by: str) -> Sign:
    return _list(f"data[0].owned_by == '{by}'")


SIGNS: tuple[tuple[Kind, tuple[Sign, ...]], ...] = (
    # docs.litellm.ai, proxy/response_headers; the error of its user_api_key_auth.
    ("litellm", (Sign(path=_LIST, header="x-litellm-version"),)),
    ("litellm", (_list("error.type == 'auth_error'"),)),
    # docs.mistral.ai, api, models: each card lists its capabilities.
    ("mistral", (_list("type(data[0].capabilities.completion_chat) == 'boolean'"),)),
    ("mistral", (Sign(path=_LIST, header="mistral-correlation-id"),)),
    # platform.claude.com, api, models and errors.
    ("anthropic", (_list("data[0].type == 'model' && type(has_more) == 'boolean'"),)),
    ("anthropic", (_list("type == 'error' && type(error.type) == 'string'"),)),
    # vllm/entrypoints/openai, ModelCard; sglang/srt, ModelCard; tools/server of llama.cpp.
    ("vllm", (_owned("vllm"),)),
    ("sglang", (_owned("sglang"),)),
    ("llamacpp", (_owned("llamacpp"),)),
    # ollama/openai: the owner is the model's namespace, its library's unless it is one's own.
    ("ollama", (_owned("library"),)),
    # platform.openai.com, api-reference, debugging requests; an error of the key names the page.
    ("openai", (Sign(path=_LIST, header="openai-version"),)),
    ("openai", (Sign(path=_LIST, header="openai-processing-ms"),)),
    ("openai", (Sign(path=_LIST, status=401, says=r"platform\.openai\.com/account/api-keys"),)),
    # python/huggingfaceserver of KServe, which has V1's list as well.
    ("kserve_openai", (Sign(path="openai/v1/models", holds=_IS_LIST),)),
    # python/kserve/kserve/protocol/rest/v1_endpoints.py
    ("kserve_v1", (_list("type(models) == 'array' && type(data) == 'null'"),)),
    # model_servers/http_rest_api_handler.cc: it lists no models, and says so.
    ("tf_serving", (Sign(path=_LIST, says=r"Missing model name in request"),)),
    ("tf_serving", (Sign(path=_LIST, says=r"Malformed request: GET "),)),
    # The Open Inference Protocol's server metadata.
    ("triton", (Sign(path="v2", holds="name == 'triton'"),)),
    ("mlserver", (Sign(path="v2", holds="name == 'mlserver'"),)),
    ("oip", (Sign(path="v2", holds="type(name) == 'string' && type(extensions) == 'array'"),)),
    # router/src/server.rs; the field `router` came with 2.0.
    ("tgi", (Sign(path="info", holds="router == 'text-generation-router'"),)),
    ("tgi", (Sign(path="info", holds="type(max_total_tokens) == 'number'"),)),
    # docs.litellm.ai, proxy/health
    ("litellm", (Sign(path="health/liveliness", status=200, says=r"I'm alive!"),)),
    # server/routes.go
    ("ollama", (Sign(path="", says=r"^Ollama is running"),)),
    # Any other server with OpenAI's list.
    ("openai_compatible", (_list(_IS_LIST),)),
    # docs/inference_api.md of TorchServe: Healthy, Partial Healthy, Unhealthy.
    ("torchserve", (Sign(path="ping", says=r'"status":\s*"(Partial |Un)?[Hh]ealthy"'),)),
    # mlflow/pyfunc/scoring_server: a bare version, and an address that takes POST alone.
    (
        "mlflow",
        (
            Sign(path="version", status=200, says=r"^\d+\.\d+\.\d+[A-Za-z0-9.+-]*\s*$"),
            Sign(path="invocations", status=405),
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Where the names of the models stand."""

    page: Page
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What follows from knowing a server.

    `probe` is the kind of target; `models` lists names, `version` the server's own; `metrics` are
    the pages where its metrics may be. A `hosted` one is somebody's who is paid by the token.
    """

    title: str
    probe: str
    dialect: Dialect | None = None
    models: tuple[Listing, ...] = ()
    version: Listing | None = None
    metrics: tuple[Page, ...] = (Page(path="metrics"),)
    hosted: bool = False


def _models(at: str, path: str = _LIST, **rest: Any) -> tuple[Listing, ...]:
    return (Listing(page=Page(path=path, **rest), at=at),)


_OPENAI = _models("data[].id")
_BESIDE = (Page(path="metrics", beside=2), Page(path="metrics"))
"""8002 for a server at 8000, 8082 for one at 8080: the defaults of Triton, MLServer, TorchServe."""

SERVERS: Mapping[Kind, About] = {
    "vllm": About(
        title="vLLM", probe="openai_chat", dialect="vllm", models=_OPENAI,
        version=Listing(page=Page(path="version"), at="version"),
    ),
    "sglang": About(
        title="SGLang", probe="openai_chat", dialect="sglang", models=_OPENAI,
        version=Listing(page=Page(path="get_server_info"), at="version"),
    ),
    "tgi": About(
        title="TGI", probe="openai_chat", dialect="auto", models=_models("[model_id]", "info"),
        version=Listing(page=Page(path="info"), at="version"),
    ),
    "llamacpp": About(title="llama.cpp", probe="openai_chat", dialect="auto", models=_OPENAI),
    "ollama": About(
        title="Ollama", probe="openai_chat", dialect="ollama",
        models=_models("models[].name", "api/tags"), metrics=(),
        version=Listing(page=Page(path="api/version"), at="version"),
    ),
    "mistral": About(
        title="the Mistral API", probe="openai_chat", dialect="mistral", hosted=True, metrics=(),
        models=_models("data[?capabilities.completion_chat].id"),
    ),
    "openai": About(
        title="the OpenAI API", probe="openai_chat", dialect="openai", hosted=True, metrics=(),
        models=_OPENAI,
    ),
    "anthropic": About(
        title="the Anthropic API", probe="anthropic_messages", hosted=True, metrics=(),
        models=_OPENAI,
    ),
    "litellm": About(
        title="LiteLLM", probe="openai_chat", dialect="auto", models=_OPENAI, hosted=True,
        metrics=(Page(path="metrics/"), Page(path="metrics")),
    ),
    "kserve_openai": About(
        title="KServe (OpenAI's API)", probe="openai_chat", dialect="kserve",
        models=_models("data[].id", "openai/v1/models"),
    ),
    "openai_compatible": About(
        title="a server of OpenAI's API", probe="openai_chat", dialect="auto", models=_OPENAI
    ),
    "triton": About(
        title="Triton", probe="oip", metrics=_BESIDE,
        models=_models("model_stats[].name", "v2/models/stats"),
        version=Listing(page=Page(path="v2"), at="version"),
    ),
    # The index is a POST in its protocol, and changes nothing.
    "mlserver": About(
        title="MLServer", probe="oip", metrics=_BESIDE,
        models=_models("[?state == 'READY'].name", "v2/repository/index", method="POST"),
        version=Listing(page=Page(path="v2"), at="version"),
    ),
    "oip": About(
        title="a server of the Open Inference Protocol", probe="oip",
        version=Listing(page=Page(path="v2"), at="join(' ', [name, version])"),
    ),
    "kserve_v1": About(
        title="KServe (V1)", probe="kserve_v1", models=_models("models"),
        version=Listing(page=Page(path="v2"), at="version"),
    ),
    "tf_serving": About(
        title="TensorFlow Serving", probe="tf_serving",
        metrics=(Page(path="monitoring/prometheus/metrics"),),
    ),
    "torchserve": About(
        title="TorchServe", probe="torchserve", metrics=_BESIDE,
        models=_models("models[].modelName", "models", beside=1),
    ),
    "mlflow": About(title="MLflow's scoring server", probe="mlflow"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """The table has been gone through as far as it had to; None: nothing of it answers here."""

    kind: Kind | None


def step(answers: Mapping[str, Answer]) -> str | Recognised:
    """Return the path that has to be asked next, or what the answers so far give away.

    The first row all of whose signs are seen counts.
    """
    for kind, signs in SIGNS:
        for sign in signs:
            if sign.path not in answers:
                return sign.path
            if not sign.seen_in(answers[sign.path]):
                break
        else:
            return Recognised(kind=kind)
    return Recognised(kind=None)

"""What was found -> a target to watch it with, and what to paste elsewhere; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.dialect import Name as Dialect
from exporter.probe import probe_of
from exporter.survey.look import Found, NativePage, SurveyError
from exporter.target import Target
from toolkit.settings import nearest

_DAY_SECONDS = 86_400
_SHOWN_MODELS = 8
_REASONING_TOKENS = 1024
_CHAT = frozenset({"openai_chat", "anthropic_messages", "triton_generate"})
_UNASKED = frozenset({"kserve_v1", "tf_serving", "torchserve", "mlflow"})
_WITHOUT_MODEL = frozenset({"mlflow", "json", "http"})

# Lists of models do not say what each is for; their names do.
_EMBEDS = re.compile(r"embed|(^|[/_-])(bge|e5|gte)-|minilm", re.IGNORECASE)
_NOT_TEXT = re.compile(
    r"whisper|tts|audio|realtime|transcribe|image|dall-e|moderation|rerank|sora|-ocr|babbage"
    r"|davinci|gpt-3\.5-turbo-instruct",
    re.IGNORECASE,
)
_CHEAP = re.compile(r"(^|[-_./])(nano|mini|small|haiku|lite|tiny)([-_.]|$)", re.IGNORECASE)
_REASONS = re.compile(r"(o[1-9]|gpt-[5-9])(?!.*-chat)")

SCRAPE = """\
scrape_configs:
  - job_name: vigie-exporter
    static_configs: [{targets: ["localhost:10917"]}]
"""
WEBHOOK = """\
route:
  receiver: your-pager
  routes:
    - receiver: vigie
      continue: true      # your own routes go on as they are: no page depends on Vigie
receivers:
  - name: your-pager      # yours
  - name: vigie
    webhook_configs:
      - url: http://localhost:10918/webhook/alertmanager
        send_resolved: true
        max_alerts: 0
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the person asked for: `key_env` and `ca_file` are written down, a key never is."""

    key_env: str = ""
    ca_file: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The model to ask, and the kind of target that it takes."""

    probe: str
    model: str | None


def chosen(found: Found, wishes: Wishes) -> Chosen:
    """Choose a model: the one that is named, else one that answers, on paid ones a small one.

    Raises SurveyError where a model is needed and none is known.
    """
    named = wishes.model or found.place.model
    if found.probe in _WITHOUT_MODEL:
        return Chosen(probe=found.probe, model=None)
    if named and wishes.model and found.models and named not in found.models:
        where = f"--model {named[:100]}: not among the {len(found.models)} models that are served"
        raise SurveyError(f"{where}; {nearest(named, found.models)}")
    model = named or _first(found)
    if model is None:
        title = found.about.title if found.about else "it"
        raise SurveyError(f"{found.place.given}: {title} names no model; name it with --model")
    embeds = found.probe == "openai_chat" and _EMBEDS.search(model) is not None
    return Chosen(probe="openai_embeddings" if embeds else found.probe, model=model)


def _first(found: Found) -> str | None:
    answering = [
        each for each in found.models if not _EMBEDS.search(each) and not _NOT_TEXT.search(each)
    ]
    known = answering or list(found.models)
    cheap = [each for each in known if _CHEAP.search(each)] if _is_hosted(found) else []
    return next(iter(cheap or known), None)


def _is_hosted(found: Found) -> bool:
    return found.about is not None and found.about.hosted


def settings_of(found: Found, choice: Chosen, wishes: Wishes) -> dict[str, Any]:
    """Return the target as the configuration has it; its budget is set by `with_budget`."""
    is_chat = choice.probe in _CHAT
    at_will = {"interval": "5m" if _is_hosted(found) else "1m", "timeout": "30s"}
    target: dict[str, Any] = {
        "name": _name(choice.model or found.place.host),
        "kind": choice.probe,
        "url": found.place.given if found.kind is None else found.place.root,
        **(at_will if is_chat else {"interval": "30s", "timeout": "10s"}),
    }
    if choice.model is not None:
        target["model"] = choice.model
    dialect = _dialect(found, choice)
    if dialect is not None and choice.probe.startswith("openai_"):
        target["dialect"] = dialect
    if dialect == "openai_reasoning":
        target["max_tokens"] = _REASONING_TOKENS  # it thinks before it answers, at our cost
    target |= _access(choice, wishes)
    if found.native is not None:
        target["native"] = _native(found.native, wishes)
    if is_chat:
        target["canaries"] = [
            {
                "name": "capital",
                "prompt": "What is the capital of France? One word.",
                "checks": [{"regex": "(?i)paris"}],
                "required": "2 of 3",
            }
        ]
    return target


def _dialect(found: Found, choice: Chosen) -> Dialect | None:
    known = found.about.dialect if found.about else None
    if known == "openai" and choice.probe == "openai_chat" and _REASONS.match(choice.model or ""):
        return "openai_reasoning"
    # A gateway in front hides who owns the models, and its metrics tell.
    if found.kind == "openai_compatible" and found.native and not found.native.absent:
        if found.native.server == "vllm":
            return "vllm"
        if found.native.server == "sglang":
            return "sglang"
    return known


def _native(page: NativePage, wishes: Wishes) -> dict[str, Any]:
    native: dict[str, Any] = {"url": page.url, "server": page.server}
    if page.is_locked:
        native["auth"] = {"bearer": {"env": wishes.key_env}}
    if wishes.ca_file and page.url.startswith("https:"):
        native["tls"] = {"ca_file": wishes.ca_file}
    return native


def _access(choice: Chosen, wishes: Wishes) -> dict[str, Any]:
    access: dict[str, Any] = {}
    if wishes.key_env:
        secret = {"env": wishes.key_env}
        is_anthropic = choice.probe == "anthropic_messages"
        access = (
            {"headers": {"x-api-key": secret}} if is_anthropic else {"auth": {"bearer": secret}}
        )
    if wishes.ca_file:
        access["tls"] = {"ca_file": wishes.ca_file}
    return access


def _name(text: str) -> str:
    """Make a target's name of a model's or a host's."""
    plain = re.sub(r"[^A-Za-z0-9_.:-]+", "-", text.rpartition("/")[2]).lstrip("_.:-")
    return plain[:100] or "endpoint"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a target costs a day at most."""

    runs: int
    tokens: int

    @property
    def tokens_per_run(self) -> int:
        """Tokens that one run may cost."""
        return round(self.tokens / self.runs) if self.runs else 0


def cost_of(target: Target) -> Cost:
    """Return what a day of runs may cost; questions are asked in turn."""
    costs = [question.cost_tokens for question in probe_of(target).questions()]
    runs = _DAY_SECONDS / target.interval_seconds
    return Cost(runs=round(runs), tokens=round(runs * sum(costs) / len(costs)))


def with_budget(settings: dict[str, Any], found: Found, cost: Cost) -> dict[str, Any]:
    """Give a target that is paid by the token the ceiling that its runs need."""
    if not _is_hosted(found) or not cost.tokens:
        return settings
    return {**settings, "budget": {"tokens_per_day": cost.tokens}}


def text_of(settings: dict[str, Any], found: Found, cost: Cost, tried: Sequence[str] = ()) -> str:
    """Write the whole configuration; what goes elsewhere stands in it as comments."""
    said = "".join(f"# {line}\n" for line in (*_found_lines(found, settings), *_cost_lines(cost)))
    said += "".join(f"# {line}\n" for line in tried)
    return (
        said
        + yaml.safe_dump({"targets": [settings]}, sort_keys=False, allow_unicode=True, width=95)
        + _commented("Paste into prometheus.yml, which scrapes the exporter:", SCRAPE)
        + _commented("Paste into alertmanager.yml, which tells the responder of alerts:", WEBHOOK)
    )


def _commented(title: str, snippet: str) -> str:
    lines = "".join(f"#   {line}".rstrip() + "\n" for line in snippet.splitlines())
    return f"\n# {title}\n#\n{lines}"


def _found_lines(found: Found, settings: dict[str, Any]) -> Iterator[str]:
    title = found.about.title if found.about else "no server that is known, but a plain answer"
    yield f"{found.place.given}: {' '.join(part for part in (title, found.version) if part)}"
    if found.models:
        shown = ", ".join(found.models[:_SHOWN_MODELS])
        more = len(found.models) - _SHOWN_MODELS
        yield f"models: {shown}{f' and {more} more' if more > 0 else ''}; --model chooses another"
    native = found.native
    if native is not None:
        absent = f", without {', '.join(native.absent)}" if native.absent else ""
        yield f"its own metrics: {native.url}, with the names of {native.server}{absent}"
    elif not _is_hosted(found):
        yield "its own metrics: none found, so that hung and saturated cannot be told apart"
    if settings["kind"] in _UNASKED:
        yield "asks only whether it is ready; add `canaries` whose right answers you know"
    if settings["kind"] in {"json", "http"}:
        yield "asks for the address alone; add `checks` of what a right answer holds"


def _cost_lines(cost: Cost) -> Iterator[str]:
    tokens = f"{cost.tokens:,} tokens at most ({cost.tokens_per_run} a run)"
    yield f"a day: {cost.runs:,} runs, {tokens if cost.tokens else 'no tokens'}"

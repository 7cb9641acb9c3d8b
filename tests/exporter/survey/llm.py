"""Servers of language models: those that one runs, gateways, and the APIs that are paid for."""

from __future__ import annotations

from tests.exporter.survey.standins import FASTAPI_404, KEY, Said, Standin, models, page

# docs.vllm.ai, api, models: cards with permission and max_model_len; GET /version.
VLLM = Standin(
    answers={
        "GET /v1/models": models(
            "Qwen/Qwen2.5-0.5B-Instruct",
            owner="vllm",
            root="Qwen/x",
            parent=None,
            max_model_len=32768,
        ),
        "GET /version": Said(body={"version": "0.11.0"}),
        "GET /metrics": page(
            "vllm:num_requests_running",
            "vllm:num_requests_waiting",
            "vllm:generation_tokens_total",
            "vllm:prompt_tokens_total",
        ),
    },
    missing=FASTAPI_404,
)
# docs.sglang.io, api, models and native_api.
SGLANG = Standin(
    answers={
        "GET /v1/models": models(
            "meta-llama/Llama-3.1-8B-Instruct", owner="sglang", root=None, max_model_len=131072
        ),
        "GET /get_server_info": Said(body={"model_path": "meta-llama/x", "version": "0.5.3"}),
        "GET /metrics": page(
            "sglang:num_running_reqs",
            "sglang:num_queue_reqs",
            "sglang:generation_tokens_total",
            "sglang:prompt_tokens_total",
        ),
    },
    missing=FASTAPI_404,
)
# router/src/server.rs: GET /info; the list's owner is the model itself; no body with a 404.
TGI = Standin(
    answers={
        "GET /v1/models": models("bigscience/bloom", owner="bigscience/bloom"),
        "GET /info": Said(
            body={
                "model_id": "bigscience/bloom",
                "model_sha": "abc",
                "max_concurrent_requests": 128,
                "max_input_tokens": 1024,
                "max_total_tokens": 2048,
                "router": "text-generation-router",
                "version": "3.3.7",
                "docker_label": None,
            }
        ),
        "GET /metrics": page(
            "tgi_batch_current_size", "tgi_queue_size", "tgi_batch_inference_success"
        ),
    },
    missing=Said(status=404, body="", content_type="text/plain"),
)
# tools/server/README.md: both lists in one answer; /metrics is 501 unless it was asked for.
LLAMACPP = Standin(
    answers={
        "GET /v1/models": Said(
            body={
                "models": [{"name": "qwen3.gguf", "capabilities": ["completion"]}],
                "object": "list",
                "data": [
                    {"id": "qwen3.gguf", "object": "model", "owned_by": "llamacpp", "meta": {}}
                ],
            }
        ),
        "GET /metrics": Said(
            status=501,
            body={
                "error": {
                    "code": 501,
                    "message": "This server does not support metrics endpoint.",
                    "type": "not_supported_error",
                }
            },
        ),
    },
    missing=Said(
        status=404,
        body={"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}},
    ),
)
# docs.ollama.com, api: /api/tags, /api/version; / is a text; a 404 is one too.
OLLAMA = Standin(
    answers={
        "GET /": Said(body="Ollama is running", content_type="text/plain"),
        "GET /v1/models": models("llama3.2:3b", "nomic-embed-text:latest", owner="library"),
        "GET /api/version": Said(body={"version": "0.12.6"}),
        "GET /api/tags": Said(
            body={
                "models": [
                    {"name": "nomic-embed-text:latest", "model": "nomic-embed-text:latest"},
                    {"name": "llama3.2:3b", "model": "llama3.2:3b", "size": 2019393189},
                ]
            }
        ),
    },
    missing=Said(status=404, body="404 page not found", content_type="text/plain"),
)
_CHAT = {"completion_chat": True, "completion_fim": False, "function_calling": True}
# docs.mistral.ai, api, models; the gateway's error without a key.
MISTRAL = Standin(
    answers={
        "GET /v1/models": Said(
            body={
                "object": "list",
                "data": [
                    {"id": name, "object": "model", "owned_by": "mistralai", "capabilities": can}
                    for name, can in (
                        ("mistral-ocr-latest", {**_CHAT, "completion_chat": False}),
                        ("mistral-large-latest", _CHAT),
                        ("mistral-small-latest", _CHAT),
                    )
                ],
            },
            headers={"mistral-correlation-id": "0199"},
        )
    },
    missing=Said(status=404, body={"detail": "Not Found"}),
    unlocked_by=("Authorization", f"Bearer {KEY}"),
    locked=Said(
        status=401, body={"detail": "Unauthorized"}, headers={"mistral-correlation-id": "0199"}
    ),
)
# platform.openai.com, api-reference: models/list, debugging requests, the error without a key.
OPENAI = Standin(
    answers={
        "GET /v1/models": Said(
            body={
                "object": "list",
                "data": [
                    {"id": name, "object": "model", "created": 1, "owned_by": "system"}
                    for name in ("whisper-1", "gpt-4.1", "text-embedding-3-small", "gpt-4.1-mini")
                ],
            },
            headers={"openai-version": "2020-10-01", "openai-processing-ms": "12"},
        )
    },
    missing=Said(status=404, body={"error": {"message": "Invalid URL", "type": "x"}}),
    unlocked_by=("Authorization", f"Bearer {KEY}"),
    locked=Said(
        status=401,
        body={
            "error": {
                "message": "You didn't provide an API key. You can obtain an API key from"
                " https://platform.openai.com/account/api-keys.",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        },
    ),
)
# platform.claude.com, api: models/list, errors, versioning.
ANTHROPIC = Standin(
    answers={
        "GET /v1/models": Said(
            body={
                "data": [
                    {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01"}
                    for name in ("claude-opus-4-1", "claude-haiku-4-5")
                ],
                "has_more": False,
                "first_id": "claude-opus-4-1",
                "last_id": "claude-haiku-4-5",
            }
        )
    },
    missing=Said(
        status=404, body={"type": "error", "error": {"type": "not_found_error", "message": "x"}}
    ),
    unlocked_by=("x-api-key", KEY),
    also_wanted={"anthropic-version": "2023-06-01"},
    locked=Said(
        status=401,
        body={
            "type": "error",
            "error": {"type": "authentication_error", "message": "x-api-key header is required"},
        },
    ),
)
# docs.litellm.ai, proxy/health; the list's owner is always openai; /metrics leads to /metrics/.
LITELLM = Standin(
    answers={
        "GET /v1/models": models("gpt-4o-mini", owner="openai"),
        "GET /health/liveliness": Said(body='"I\'m alive!"'),
        "GET /metrics": Said(status=307, body="", headers={"Location": "/metrics/"}),
        "GET /metrics/": page(
            "litellm_output_tokens_metric_total", "litellm_input_tokens_metric_total"
        ),
    },
    missing=FASTAPI_404,
    unlocked_by=("Authorization", f"Bearer {KEY}"),
    locked=Said(
        status=401,
        body={
            "error": {
                "message": "Authentication Error, No api key passed in.",
                "type": "auth_error",
                "param": "None",
                "code": "401",
            }
        },
    ),
)
COMPATIBLE = Standin(
    answers={
        "GET /v1/models": models("lab-chat", owner="lab"),
        "GET /metrics": VLLM.answers["GET /metrics"],
    },
    missing=Said(status=404, body={"error": "not found"}),
)

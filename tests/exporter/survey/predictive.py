"""Servers of predictions, each with its metrics where it has them by default."""

from __future__ import annotations

from tests.exporter.survey.standins import FASTAPI_404, Said, Standin, models, page

# The V1 routes and the huggingface server's OpenAI routes of KServe's Python server.
KSERVE_OPENAI = Standin(
    answers={
        "GET /v1/models": Said(body={"models": ["llama3"]}),
        "GET /openai/v1/models": models("llama3", owner=""),
        "GET /v2": Said(body={"name": "kserve", "version": "0.15.2", "extensions": []}),
        "GET /metrics": page("request_predict_seconds_count"),
    },
    missing=FASTAPI_404,
)
KSERVE_V1 = Standin(
    answers={
        "GET /v1/models": Said(body={"models": ["sklearn-iris"]}),
        "GET /v2": Said(body={"name": "kserve", "version": "0.15.2", "extensions": []}),
        "GET /metrics": page("request_predict_seconds_count"),
    },
    missing=FASTAPI_404,
)
_OIP_404 = Said(status=404, body={"error": "Not Found"})
# Triton, protocol/extension_statistics: GET v2/models/stats; metrics at 8002 beside 8000.
TRITON = Standin(
    answers={
        "GET /v2": Said(
            body={"name": "triton", "version": "2.61.0", "extensions": ["statistics", "generate"]}
        ),
        "GET /v2/models/stats": Said(body={"model_stats": [{"name": "fraud", "version": "1"}]}),
        "GET /v2/models/fraud": Said(
            body={
                "name": "fraud",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [],
            }
        ),
    },
    beside={
        2: {
            "GET /metrics": page(
                "nv_inference_pending_request_count", "nv_inference_request_success"
            )
        }
    },
    missing=Said(status=404, body="", content_type="text/plain"),
)
TRITON_TEXT = Standin(
    answers={
        **TRITON.answers,
        "GET /v2/models/fraud": Said(
            body={
                "name": "fraud",
                "inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [1]}],
                "outputs": [],
            }
        ),
    },
    missing=TRITON.missing,
)
# docs.seldon.ai, mlserver: the index is a POST; metrics at 8082 beside 8080.
MLSERVER = Standin(
    answers={
        "GET /v2": Said(body={"name": "mlserver", "version": "1.7.1", "extensions": []}),
        "POST /v2/repository/index": Said(
            body=[
                {"name": "old", "version": None, "state": "UNAVAILABLE", "reason": ""},
                {"name": "fraud", "version": "v1", "state": "READY", "reason": ""},
            ]
        ),
    },
    beside={2: {"GET /metrics": page("model_infer_request_success_total")}},
    missing=FASTAPI_404,
)
OIP = Standin(
    answers={"GET /v2": Said(body={"name": "ovms", "version": "2025.3", "extensions": []})},
    missing=_OIP_404,
)
# model_servers/http_rest_api_handler.cc: it lists nothing; the exporter writes / as a colon.
TF_SERVING = Standin(
    answers={
        "GET /v1/models": Said(status=400, body={"error": "Missing model name in request."}),
        "GET /monitoring/prometheus/metrics": page(":tensorflow:serving:request_count"),
    },
    missing=Said(status=404, body={"error": "Not Found"}),
)
# docs of TorchServe: inference_api, management_api, metrics_api, on three ports.
TORCHSERVE = Standin(
    answers={"GET /ping": Said(body={"status": "Healthy"})},
    beside={
        1: {
            "GET /models": Said(
                body={"models": [{"modelName": "densenet161", "modelUrl": "d.mar"}]}
            )
        },
        2: {"GET /metrics": page("ts_inference_latency_microseconds")},
    },
    missing=Said(
        status=404,
        body={
            "code": 404,
            "type": "ResourceNotFoundException",
            "message": "Requested resource is not found",
        },
    ),
)
# mlflow/pyfunc/scoring_server: a bare version, a line feed for /ping, POST alone for /invocations.
MLFLOW = Standin(
    answers={
        "GET /ping": Said(body="\n"),
        "GET /version": Said(body="3.4.0"),
        "GET /invocations": Said(status=405, body={"detail": "Method Not Allowed"}),
    },
    missing=FASTAPI_404,
)

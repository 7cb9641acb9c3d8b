"""Triton over a model that adds up rows; run inside pytriton's environment with its ports."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from pytriton.decorators import batch  # type: ignore[import-not-found,unused-ignore]
from pytriton.model_config import (  # type: ignore[import-not-found,unused-ignore]
    ModelConfig,
    Tensor,
)
from pytriton.triton import (  # type: ignore[import-not-found,unused-ignore]
    Triton,
    TritonConfig,
)

HOST = "127.0.0.1"


@batch  # type: ignore[misc,untyped-decorator,unused-ignore]
def sums(x: Any) -> dict[str, Any]:
    """Say the sum of each row."""
    return {"sum": x.sum(axis=1, keepdims=True).astype(np.float32)}


def main() -> None:
    """Serve until told to stop."""
    rest, grpc, metrics = (int(port) for port in sys.argv[1:])
    config = TritonConfig(
        http_address=HOST, http_port=rest,
        grpc_address=HOST, grpc_port=grpc,
        metrics_address=HOST, metrics_port=metrics,
    )  # fmt: skip
    with Triton(config=config) as server:
        server.bind(
            model_name="sums",
            infer_func=sums,
            inputs=[Tensor(name="x", dtype=np.float32, shape=(2,))],
            outputs=[Tensor(name="sum", dtype=np.float32, shape=(1,))],
            config=ModelConfig(max_batch_size=8),
        )
        server.serve()


if __name__ == "__main__":
    main()

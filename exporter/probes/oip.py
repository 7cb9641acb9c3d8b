"""The Open Inference Protocol over REST: what Triton, MLServer, KServe and OpenVINO speak."""

from __future__ import annotations

from typing import Any

from exporter import prediction
from exporter.inference import Inference
from exporter.probe import probes
from exporter.target import Exchange
from exporter.transport import Transport


@probes.register("oip")
class Oip(Inference):
    """Asks for an inference; right is an answer with our id whose outputs are what they say.

    Without canaries, the model's metadata is read in each run, a valid input is made of it, and
    the outputs are held against it: two requests, of which the second is timed. Nothing is kept
    from run to run. The canary `malformed` must be refused.
    """

    async def _metadata(self, transport: Transport) -> Exchange:
        return await prediction.ask(self, transport, path=self._path, headers=self.headers)

    async def _send(
        self,
        transport: Transport,
        body: dict[str, Any],
        nonce: str,
        earlier: tuple[Exchange, ...],
    ) -> Exchange:
        path = f"{self._path}/infer"
        return await prediction.ask(
            self,
            transport,
            path=path,
            body=body,
            headers=self.headers,
            nonce=nonce,
            earlier=earlier,
        )

    @property
    def _path(self) -> str:
        version = f"/versions/{prediction.segment(self.version)}" if self.version else ""
        return f"v2/models/{prediction.segment(self.model)}{version}"

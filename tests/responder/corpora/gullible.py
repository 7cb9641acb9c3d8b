"""A server of the API whose model does whatever it is set to, as soon as it is asked."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(kw_only=True, slots=True)
class Gullible:
    """Calls the tool that it was talked into, then submits its report; keeps what it was sent."""

    report: str = "{}"
    tool: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        return app

    async def _chat(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.received.append(asked)
        is_told = any(each["role"] == "tool" for each in asked["messages"])
        name, arguments = "submit_report", self.report
        if self.tool and not is_told:
            name, arguments = self.tool, json.dumps({"name": "chat", "command": "id"})
        call = {
            "id": "a1b2c3d4e",
            "type": "function",
            "index": 0,
            "function": {"name": name, "arguments": arguments},
        }
        message = {"role": "assistant", "content": "", "tool_calls": [call]}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }
        )

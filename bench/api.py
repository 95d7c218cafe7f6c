"""The API of S10: POST /batch takes a list of records and answers after 20 ms; GET /stats says what came. argv: port."""

from __future__ import annotations

import asyncio
import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECONDS = 0.02
came = {"calls": 0, "rows": 0, "sum": 0, "now": 0, "peak": 0}


async def batch(request: Request) -> Response:
    records = json.loads(await request.body())
    came["now"] += 1
    came["peak"] = max(came["peak"], came["now"])
    await asyncio.sleep(SECONDS)
    came["now"] -= 1
    came["calls"] += 1
    came["rows"] += len(records)
    came["sum"] += sum(int(r["id"]) for r in records)
    return Response(json.dumps({"ok": len(records)}), media_type="application/json")


async def stats(_: Request) -> Response:
    return Response(json.dumps(came), media_type="application/json")


async def reset(_: Request) -> Response:
    came.update(dict.fromkeys(came, 0))
    return Response(status_code=204)


app = Starlette(
    routes=[Route("/batch", batch, methods=["POST"]), Route("/stats", stats), Route("/reset", reset, methods=["POST"])]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop")

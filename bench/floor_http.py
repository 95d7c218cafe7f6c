"""The floor of S8: an endpoint as a good team writes it by hand, Starlette and asyncpg, which validates a record and inserts it."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

INSERT = "insert into bench.orders values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
OK = b'{"ok":1}'


@asynccontextmanager
async def life(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_URL"], min_size=4, max_size=16) as pool:
        app.state.pool = pool
        yield


async def post(request: Request) -> Response:
    o = json.loads(await request.body())
    values = (
        int(o["id"]), o["customer_email"], o["sku"], int(o["qty"]), Decimal(o["unit_price"]), o["currency"],
        dt.datetime.fromisoformat(o["ordered_at"]), o["shipped"], o["note"], o["country"],
    )  # fmt: skip
    await request.app.state.pool.execute(INSERT, *values)
    return Response(OK, media_type="application/json")


async def many(request: Request) -> Response:
    rows = [
        (int(o["id"]), o["customer_email"], o["sku"], int(o["qty"]), Decimal(o["unit_price"]), o["currency"],
         dt.datetime.fromisoformat(o["ordered_at"]), o["shipped"], o["note"], o["country"])
        for o in json.loads(await request.body())
    ]  # fmt: skip
    await request.app.state.pool.executemany(INSERT, rows)
    return Response(OK, media_type="application/json")


app = Starlette(
    routes=[Route("/orders", post, methods=["POST"]), Route("/many", many, methods=["POST"])], lifespan=life
)

"""(b) What a user would put together by hand: FastAPI, a JWT, OPA's server over HTTP, and a hash-chained audit file.

A reply is sent when its audit record is on disk; records of concurrent requests share an fsync. No sandbox, no tenancy, no
database of executions, one record per call.
"""

import asyncio
import hashlib
import json
import os
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import jwt
from add import add
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

SECRET = os.environ["BY_HAND_SECRET"]
OPA = os.environ["BY_HAND_OPA"]
QUESTION = json.loads(Path(os.environ["BY_HAND_QUESTION"]).read_text())


class AddInput(BaseModel):
    a: int
    b: int


class Journal:
    """A file of JSON lines, each with the hash of the one before; one fsync for all that wait."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "ab", buffering=0)
        self._previous = "0" * 64
        self._waiting: list[tuple[dict, asyncio.Future]] = []
        self._writer: asyncio.Task | None = None

    async def append(self, record: dict) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            lines = []
            for record, _ in batch:
                line = json.dumps({**record, "previous": self._previous}, sort_keys=True).encode()
                self._previous = hashlib.sha256(line).hexdigest()
                lines.append(line + b"\n")
            await loop.run_in_executor(None, self._sync, b"".join(lines))
            for _, done in batch:
                done.set_result(None)
        self._writer = None

    def _sync(self, data: bytes) -> None:
        self._file.write(data)
        os.fsync(self._file.fileno())


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.journal = Journal(os.environ["BY_HAND_AUDIT"])
    # aiohttp rather than httpx: on this path it takes less than a third of the processor time, and a peer should be a good one.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def allowed(client: aiohttp.ClientSession, claims: dict, arguments: dict) -> bool:
    question = {
        **QUESTION,
        "principal": {**QUESTION["principal"], "id": claims["sub"], "roles": claims["roles"]},
        "arguments": {**QUESTION["arguments"], "value": arguments},
    }
    async with client.post(OPA, json={"input": question}) as answer:
        return answer.status == 200 and (await answer.json()).get("result", {}).get("allow") is True


@app.post("/add")
async def route(payload: AddInput, request: Request) -> dict:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="adders", options={"require": ["exp", "sub"]})
    except jwt.PyJWTError as e:
        raise HTTPException(401, "no valid token") from e
    arguments = payload.model_dump()
    decision = await allowed(request.app.state.client, claims, arguments)
    result = add(payload.a, payload.b) if decision else None
    await request.app.state.journal.append(
        {
            "id": str(uuid.uuid4()),
            "time": time.time(),
            "principal": claims["sub"],
            "action": "add",
            "arguments": hashlib.sha256(json.dumps(arguments).encode()).hexdigest(),
            "allowed": decision,
            "result": result and hashlib.sha256(json.dumps(result).encode()).hexdigest(),
        }
    )
    if not decision:
        raise HTTPException(403, "denied")
    return result

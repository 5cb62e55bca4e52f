"""(d) DBOS: a workflow with one step, behind FastAPI, on PostgreSQL."""

import os
from contextlib import asynccontextmanager

from add import add
from dbos import DBOS, DBOSConfig
from fastapi import FastAPI
from pydantic import BaseModel

config: DBOSConfig = {
    "name": "adder",
    "system_database_url": os.environ["DBOS_BENCH_DATABASE"],
    "log_level": "WARNING",
}
DBOS(config=config)


@asynccontextmanager
async def lifespan(app: FastAPI):
    DBOS.launch()
    yield
    DBOS.destroy()


app = FastAPI(lifespan=lifespan)


class AddInput(BaseModel):
    a: int
    b: int


@DBOS.step()
def step(a: int, b: int) -> dict:
    return add(a, b)


@DBOS.workflow()
def workflow(a: int, b: int) -> dict:
    return step(a, b)


# A plain def: DBOS's calls block, so FastAPI runs them on its threads, as DBOS's own examples do.
@app.post("/add")
def route(payload: AddInput) -> dict:
    return workflow(payload.a, payload.b)

"""(a) Bare FastAPI: the function behind a route, input checked by pydantic, nothing else."""

from add import add
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class AddInput(BaseModel):
    a: int
    b: int


# async: FastAPI then calls it on the event loop; a plain def would cost a thread hop and be slower.
@app.post("/add")
async def route(payload: AddInput) -> dict:
    return add(payload.a, payload.b)

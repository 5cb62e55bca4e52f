"""What the plane is asked to run: the function that every row serves, and some more for the further measurements."""

import time

from add import add as add_two
from aiel_sdk import tool
from pydantic import BaseModel


class AddInput(BaseModel):
    a: int
    b: int


class AddOutput(BaseModel):
    sum: int


@tool("add", description="Adds two whole numbers.", output_schema=AddOutput)
def add(ctx, payload: AddInput):
    numbers = AddInput.model_validate(payload)
    return add_two(numbers.a, numbers.b)


@tool("nap", description="Sleeps, then adds.")
def nap(ctx, payload):
    time.sleep(payload["seconds"])
    return add_two(payload["a"], payload["b"])


@tool("bulk", description="Answers a text of the wanted length.")
def bulk(ctx, payload):
    return {"text": "x" * payload["bytes"]}

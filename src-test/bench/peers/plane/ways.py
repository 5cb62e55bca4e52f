"""What the plane is asked to run where the ways in are compared: pushed as entry_point.py."""

import time

from add import add as add_two
from aiel_sdk import tool
from pydantic import BaseModel


class AddInput(BaseModel):
    a: int
    b: int


@tool("add", description="Adds two whole numbers.")
def add(ctx, payload: AddInput):
    numbers = AddInput.model_validate(payload)
    return add_two(numbers.a, numbers.b)


@tool("first", description="Adds two whole numbers, and yields the sum.")
def first(ctx, payload: AddInput):
    numbers = AddInput.model_validate(payload)
    yield add_two(numbers.a, numbers.b)


@tool("stamp", description="Says when it began.")
def stamp(ctx, payload):
    return {"at": time.time()}


@tool("nap", description="Sleeps.")
def nap(ctx, payload):
    time.sleep(payload["seconds"])
    return {}

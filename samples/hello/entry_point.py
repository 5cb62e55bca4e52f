"""A small project with one capability of each kind. `./plane demo` pushes it and runs it."""

from aiel_sdk import agent, flow, http, mcp_server, router, tool
from pydantic import BaseModel, Field


class AddInput(BaseModel):
    """Two whole numbers that are not absurdly large."""

    a: int = Field(ge=-1_000_000, le=1_000_000)
    b: int = Field(ge=-1_000_000, le=1_000_000)


class AddOutput(BaseModel):
    sum: int


@tool("add", description="Adds two whole numbers.", tags=("sample", "maths"), output_schema=AddOutput)
def add(ctx, payload: AddInput):
    numbers = AddInput.model_validate(payload)
    ctx.log("adding", a=numbers.a, b=numbers.b)
    return {"sum": numbers.a + numbers.b}


@agent("greeter", description="Greets whoever is named.", tags=("sample",))
async def greeter(ctx, state):
    name = str(state.get("name") or "world").strip()
    ctx.log("greeting", length=len(name))
    return {"greeting": f"Hello, {name}!"}


@router("triage", description="Sends questions about numbers to 'maths' and the rest to 'talk'.", allowed_routes=("maths", "talk"))
def triage(ctx, state):
    text = str(state.get("text") or "")
    return "maths" if any(character.isdigit() for character in text) else "talk"


@flow("welcome")
async def welcome(ctx, payload):
    greeting = await greeter(ctx, payload)
    total = add(ctx, {"a": int(payload.get("a", 1)), "b": int(payload.get("b", 1))})
    return {**greeting, **total}


@http.get("/hello")
def hello(ctx, request):
    name = request["query"].get("name", "world")
    return {"message": f"Hello, {name}!"}


desk = mcp_server("desk")


@desk.tool(name="count_words", description="Counts the words of a text.")
def count_words(text: str) -> dict:
    return {"words": len(text.split())}

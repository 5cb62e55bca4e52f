"""(c) Restate: one handler with one durable step."""

import restate
from add import add

adder = restate.Service("Adder")


@adder.handler()
async def sum_up(ctx: restate.Context, request: dict) -> dict:
    async def step() -> dict:
        return add(request["a"], request["b"])

    return await ctx.run_typed("add", step)


app = restate.app(services=[adder])

"""The official Python client of MCP, told on standard input what to do; prints what it saw as JSON. mcp_client.mjs does the same.

Input: {"url", "token", "mode": "auto" | "legacy", "steps": [...]}. Steps: {"do": "list"}, {"do": "ping"}, {"do": "call", "name",
"arguments"} and, to hear of its progress, "progress": true, {"do": "abandon", "name", "arguments", "after_ms"}: the call is given up after that time.
"""

import asyncio
import json
import sys
import warnings

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")


async def every_tool(client):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return {"tools": tools}


async def call(client, step):
    heard = []

    async def hear(progress, total, message):
        heard.append({"progress": progress, "total": total, "message": message})

    more = {"progress_callback": hear} if step.get("progress") else {}
    result = await client.call_tool(step["name"], step.get("arguments", {}), **more)
    return {**result.model_dump(by_alias=True, exclude_none=True, mode="json"), "heard": heard}


async def do(client, step):
    try:
        if step["do"] == "list":
            return await every_tool(client)
        if step["do"] == "ping":
            await client.send_ping()
            return {}
        if step["do"] == "call":
            return await call(client, step)
        with anyio.move_on_after(step["after_ms"] / 1000):
            return await call(client, step)
        return {"abandoned": True}
    except MCPError as problem:
        return {"error": {"code": problem.error.code, "message": problem.error.message}}


async def main():
    asked = json.load(sys.stdin)
    headers = {"Authorization": "Bearer " + asked["token"]}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(asked["url"], http_client=http)
        async with Client(transport, mode=asked["mode"]) as client:
            results = [await do(client, step) for step in asked["steps"]]
            print(json.dumps({"protocol": client.protocol_version, "server": client.server_info.name, "results": results}))


asyncio.run(main())

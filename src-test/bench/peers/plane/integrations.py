"""What the plane is asked to run where integrations are measured: pushed as entry_point.py."""

import os

from aiel_sdk import tool
from asks import ask as ask_many


@tool("ask", description="Calls an integration again and again.", allowed_actions=("postgres.query",))
def ask(ctx, payload):
    return {"took": ask_many(os.environ["AIEL_BASE_URL"], payload["path"], os.environ["AIEL_TOKEN"], payload["count"])}

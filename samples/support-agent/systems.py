"""What the agent works with: a model, the shop's database and a memory. All three are the project's; the agent has no credentials."""

import os
from dataclasses import dataclass

from aiel_sdk import AielClient
from aiel_sdk.adapters.langchain import AIELLangChainChatModel
from aiel_sdk.adapters.langgraph import AIELLangGraphMemory
from aiel_sdk.integrations.openai import ChatOpenAI, OpenAIChatModelAdapter
from aiel_sdk.integrations.postgres import RemotePostgres
from aiel_sdk.memory import RemoteSaver
from langchain_core.language_models import BaseChatModel

MODEL = "gpt-5-mini"


@dataclass(frozen=True)
class Systems:
    chat: BaseChatModel
    shop: RemotePostgres
    memory: AIELLangGraphMemory


def connect() -> Systems:
    """Anew for each execution, since the token of the plane's API is an execution's."""
    workspace, project = os.environ["AIEL_WORKSPACE_ID"], os.environ["AIEL_PROJECT_ID"]
    client = AielClient(base_url=os.environ["AIEL_BASE_URL"], workspace_id=workspace, project_id=project)
    connections = client.integrations.list(workspace, project)

    def the(provider: str) -> str:
        found = [c.connection_id for c in connections if c.provider == provider]
        if len(found) != 1:
            raise LookupError(f"The project needs one connection of the provider {provider}, and has {len(found)}.")
        return found[0]

    chat = ChatOpenAI(client=client, workspace_id=workspace, project_id=project, connection_id=the("openai"), model=MODEL)
    return Systems(
        chat=AIELLangChainChatModel(OpenAIChatModelAdapter(chat)),
        shop=RemotePostgres(client, connection_id=the("postgres")),
        memory=AIELLangGraphMemory(RemoteSaver(client)),
    )

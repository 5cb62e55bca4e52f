"""The steps. Each takes the state and gives what it changes of it."""

import json
from typing import Any

from aiel_sdk.integrations.postgres import PostgresInsertRequest, PostgresQueryRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.output_parsers import PydanticOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable
from langgraph.runtime import Runtime
from pydantic import BaseModel

from rules import why_not_refunded
from systems import Systems
from tickets import Proposal, State, Triage

TRIAGE = ChatPromptTemplate([
    ("system", "You read messages to a shop. Say whether the newest one is about an order, and which: its number, as far as the "
               "customer ever named one."),
    MessagesPlaceholder("lines"),
])
DECIDE = ChatPromptTemplate([
    ("system", "You work for a shop. Propose a refund if the customer asks for the money back now, and an answer otherwise. "
               "What is known: {known}"),
    MessagesPlaceholder("lines"),
])
REPLY = ChatPromptTemplate([
    ("system", "You answer a customer of a shop in two sentences, in the customer's language. Say only what is known, and promise "
               "nothing. What is known: {known}"),
    MessagesPlaceholder("lines"),
])
# The model reads so much of a conversation; the state keeps all of it.
LINES_READ = 20
ORDER = """
    SELECT o.id, o.item, o.price, current_date - o.delivered_on AS days_since_delivery, r.id IS NOT NULL AS refunded
      FROM shop.orders o LEFT JOIN shop.refunds r ON r.order_id = o.id
     WHERE o.id = :order_id AND o.customer_id = :customer_id
"""


def triage(state: State, runtime: Runtime[Systems]) -> dict[str, Any]:
    found = (TRIAGE | answering(runtime.context.chat, Triage)).invoke({"lines": messages(state)})
    # A message that names no order is about the one that the conversation is about.
    return {"topic": found.topic, "order_id": found.order_id or state.get("order_id")}


def route(state: State) -> str:
    return "research" if state["topic"] == "order" and state["order_id"] else "reply"


def research(state: State, runtime: Runtime[Systems]) -> dict[str, Any]:
    wanted = {"order_id": state["order_id"], "customer_id": state["customer_id"]}
    rows = runtime.context.shop.query(PostgresQueryRequest(sql=ORDER, params=wanted, max_rows=1)).rows
    noted = runtime.context.memory.store.get(notes(state), "last-contact")
    return {"order": rows[0] if rows else None, "earlier": noted.value if noted else None}


def decide(state: State, runtime: Runtime[Systems]) -> dict[str, Any]:
    wish = (DECIDE | answering(runtime.context.chat, Proposal)).invoke({"lines": messages(state), "known": known(state)})
    if wish.action == "refund" and (objection := why_not_refunded(state["order"])):
        return {"action": "answer", "reason": objection}
    return {"action": wish.action, "reason": wish.reason}


def act(state: State) -> str:
    return "refund" if state["action"] == "refund" else "reply"


def refund(state: State, runtime: Runtime[Systems]) -> dict[str, Any]:
    order = state["order"]
    assert order is not None, "decide() refunds no order that is not there"
    row = {"order_id": order["id"], "customer_id": state["customer_id"], "amount": order["price"]}
    # Nothing in it comes from the model: the same refund asked for again is the same request, and is answered without another row.
    done = runtime.context.shop.insert(PostgresInsertRequest(
        table="shop.refunds", values=row, returning=["order_id", "amount"], idempotency_key=f"refund-order-{order['id']}"))
    return {"refund": done.returning_rows[0], "order": {**order, "refunded": True}}


def reply(state: State, runtime: Runtime[Systems]) -> dict[str, Any]:
    text = (REPLY | runtime.context.chat | StrOutputParser()).invoke({"lines": messages(state), "known": known(state)})
    runtime.context.memory.store.put(notes(state), "last-contact", {"order_id": state.get("order_id"), "action": state["action"], "reply": text})
    return {"lines": [{"by": "agent", "text": text}]}


def answering(chat: BaseChatModel, shape: type[BaseModel]) -> Runnable[Any, Any]:
    """The model, held to answers of this shape."""
    schema = {"name": shape.__name__, "strict": True, "schema": shape.model_json_schema()}
    return chat.bind(response_format={"type": "json_schema", "json_schema": schema}) | PydanticOutputParser(pydantic_object=shape)


def messages(state: State) -> list[BaseMessage]:
    return [HumanMessage(line["text"]) if line["by"] == "customer" else AIMessage(line["text"]) for line in state["lines"][-LINES_READ:]]


def known(state: State) -> str:
    return json.dumps({name: state.get(name) for name in ("order", "earlier", "action", "reason", "refund")}, ensure_ascii=False)


def notes(state: State) -> tuple[str, ...]:
    return ("customers", str(state["customer_id"]))

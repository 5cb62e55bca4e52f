"""A support agent: triage, research in the shop's database, decision, action, reply.

It remembers conversations, and does nothing with an outside system but what is declared here.
"""

from typing import Any

from aiel_sdk import Context, agent
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph

import nodes
from systems import Systems, connect
from tickets import Answer, State, Ticket

graph = StateGraph(State, context_schema=Systems)
graph.add_node("triage", nodes.triage)
graph.add_node("research", nodes.research)
graph.add_node("decide", nodes.decide)
graph.add_node("refund", nodes.refund)
graph.add_node("reply", nodes.reply)
graph.add_edge(START, "triage")
graph.add_conditional_edges("triage", nodes.route, ["research", "reply"])
graph.add_edge("research", "decide")
graph.add_conditional_edges("decide", nodes.act, ["refund", "reply"])
graph.add_edge("refund", "reply")
graph.add_edge("reply", END)


@agent(
    "support",
    description="Answers a customer's message, and refunds an order where the shop's rules allow it.",
    tags=("sample", "support"),
    output_schema=Answer,
    allowed_actions=("openai.chat.completions.create", "postgres.query", "postgres.insert"),
)
def support(ctx: Context, state: Ticket) -> dict[str, Any]:
    ticket = Ticket.model_validate(state)
    systems = connect()
    ready = graph.compile(checkpointer=systems.memory.checkpointer)
    # The customer is part of the thread's key, so nobody comes into another one's conversation.
    thread: RunnableConfig = {"configurable": {"thread_id": f"customer:{ticket.customer_id}:{ticket.conversation}"}}
    turn: State = {
        "customer_id": ticket.customer_id,
        "lines": [{"by": "customer", "text": ticket.message}],
        "order": None, "earlier": None, "action": "answer", "reason": "", "refund": None,
    }
    # Durability "sync": what was decided is kept before it is done.
    done = ready.invoke(turn, thread, context=systems, durability="sync")
    ctx.log("answered", action=done["action"], order_id=done.get("order_id"))
    return Answer(reply=done["lines"][-1]["text"], action=done["action"], reason=done["reason"], refund=done["refund"]).model_dump()

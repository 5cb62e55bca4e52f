"""What goes through the agent: what customers send and get, what the model answers, and what one conversation consists of."""

from operator import add
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field


class Ticket(BaseModel):
    """What a customer wrote, and in which conversation."""

    customer_id: int = Field(gt=0, description="Who writes; the caller has made sure of it.")
    conversation: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The same for all messages that belong together.")
    message: str = Field(min_length=1, max_length=8000)


class Refund(BaseModel):
    order_id: int
    amount: float


class Answer(BaseModel):
    """What the customer is told, and what was done."""

    reply: str
    action: Literal["refund", "answer"]
    reason: str
    refund: Refund | None = None


class Triage(BaseModel):
    """What the model makes of the newest message."""

    model_config = ConfigDict(extra="forbid")
    topic: Literal["order", "other"]
    order_id: int | None


class Proposal(BaseModel):
    """What the model would do."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["refund", "answer"]
    reason: str


class Line(TypedDict):
    """One message. Plain JSON like all of the state, since that is what a checkpoint of the SDK keeps."""

    by: Literal["customer", "agent"]
    text: str


class State(TypedDict):
    """A conversation. What each step needs of the steps before; kept from message to message by the checkpoint."""

    customer_id: int
    lines: Annotated[list[Line], add]
    topic: NotRequired[str]
    order_id: NotRequired[int | None]
    order: dict[str, Any] | None
    earlier: dict[str, Any] | None
    action: str
    reason: str
    refund: dict[str, Any] | None

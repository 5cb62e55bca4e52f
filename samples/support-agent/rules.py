"""What the shop allows. The model proposes; these have the last word, whatever a customer has written into a message."""

from typing import Any

DAYS = 30
AMOUNT_MAX = 200.0


def why_not_refunded(order: dict[str, Any] | None) -> str | None:
    """What speaks against a refund of this order, or None."""
    if order is None:
        return "This customer has no such order."
    if order["refunded"]:
        return "The order has been refunded already."
    if order["days_since_delivery"] is None:
        return "The order has not been delivered yet."
    if order["days_since_delivery"] > DAYS:
        return f"The order was delivered more than {DAYS} days ago."
    if order["price"] > AMOUNT_MAX:
        return f"Refunds of more than {AMOUNT_MAX:.0f} are for a colleague to decide."
    return None

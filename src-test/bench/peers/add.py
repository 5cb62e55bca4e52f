"""The function that every row serves."""


def add(a: int, b: int) -> dict:
    return {"sum": a + b}

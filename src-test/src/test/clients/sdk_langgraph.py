"""LangGraph's own conformance suite for checkpointers, and checks of its store, through the published SDK's adapters; prints what failed, and why.

LangGraph has no suite for stores: the checks below are ours, of what its documentation of BaseStore promises.
"""

import asyncio
import json
import os
import time

from aiel_sdk import AielClient
from aiel_sdk.adapters.langgraph import AIELLangGraphMemory
from aiel_sdk.memory import RemoteSaver
from langgraph.checkpoint.conformance.initializer import checkpointer_test
from langgraph.checkpoint.conformance.report import ProgressCallbacks
from langgraph.checkpoint.conformance.validate import validate
from langgraph.store.base import GetOp, PutOp, SearchOp

client = AielClient(base_url=os.environ["PLANE"], api_key=os.environ["TOKEN"])
saver = RemoteSaver(client, workspace_id=os.environ["WORKSPACE"], project_id=os.environ["PROJECT"])
memory = AIELLangGraphMemory(saver)
store = memory.store
passed: list[str] = []
failed: dict[str, str] = {}


def note(name: str, error: str | None) -> None:
    if error is None:
        passed.append(name)
    else:
        failed[name] = (error.strip().splitlines() or ["?"])[-1]


@checkpointer_test(name="AIELLangGraphCheckpointer")
async def through_the_sdk():
    yield memory.checkpointer


# --- The store --------------------------------------------------------------------------------------------------------


def keys(found) -> list[str]:
    return sorted(item.key for item in found)


def store_put_and_get():
    value = {"text": "green tea", "nested": {"n": [1, 2.5, None, True]}, "ü": "😀"}
    store.put(("put", "1"), "tea", value)
    item = store.get(("put", "1"), "tea")
    assert item.value == value and item.key == "tea" and item.namespace == ("put", "1"), item
    assert item.updated_at.tzinfo is not None
    store.put(("put", "1"), "tea", {"text": "black"})
    assert store.get(("put", "1"), "tea").value == {"text": "black"}
    assert store.get(("put",), "tea") is None and store.get(("put", "1"), "coffee") is None


def store_delete():
    store.put(("delete",), "a", {"n": 1})
    store.put(("delete", "inside"), "a", {"n": 1})
    store.delete(("delete",), "a")
    store.delete(("delete",), "a")
    assert store.get(("delete",), "a") is None and store.get(("delete", "inside"), "a") is not None


def store_search_by_prefix():
    for namespace in (("prefix", "1"), ("prefix", "1", "work"), ("prefix", "2"), ("prefixed",)):
        store.put(namespace, "-".join(namespace), {"n": len(namespace)})
    assert keys(store.search(("prefix",))) == ["prefix-1", "prefix-1-work", "prefix-2"]
    assert keys(store.search(("prefix", "1"))) == ["prefix-1", "prefix-1-work"]


def store_search_without_namespace():
    store.put(("everywhere",), "somewhere", {"text": "quetzalcoatl"})
    assert keys(store.search((), query="quetzalcoatl")) == ["somewhere"]
    assert len(store.search((), limit=3)) == 3


def store_search_pages():
    for i in range(7):
        store.put(("pages",), f"k{i}", {"n": i})
    seen = []
    for offset in (0, 3, 6, 9):
        seen += store.search(("pages",), limit=3, offset=offset)
    assert keys(seen) == [f"k{i}" for i in range(7)], keys(seen)


def store_search_filter():
    for i in range(4):
        store.put(("filter",), f"k{i}", {"kind": "even" if i % 2 == 0 else "odd", "n": i})
    assert keys(store.search(("filter",), filter={"kind": "odd"})) == ["k1", "k3"]
    assert keys(store.search(("filter",), filter={"kind": "odd", "n": 3})) == ["k3"]


def store_search_filter_of_more_than_the_limit():
    for i in range(4):
        store.put(("late",), f"k{i}", {"kind": "first" if i == 0 else "later"})
    assert keys(store.search(("late",), filter={"kind": "first"}, limit=2)) == ["k0"]


def store_search_filter_operators():
    for i in range(4):
        store.put(("operators",), f"k{i}", {"n": i})
    assert keys(store.search(("operators",), filter={"n": {"$gte": 2}})) == ["k2", "k3"]


def store_search_query():
    store.put(("query",), "one", {"text": "rye bread and butter"})
    store.put(("query",), "two", {"text": "bread, bread and bread again"})
    store.put(("query",), "three", {"text": "coffee"})
    assert [item.key for item in store.search(("query",), query="bread")] == ["two", "one"]


def store_search_scores():
    store.put(("scores",), "one", {"text": "rye bread"})
    assert all(item.score is not None for item in store.search(("scores",), query="bread"))


def store_search_more_than_200():
    assert store.search(("nothing",), limit=201) == []


def list_of(prefix: str) -> None:
    for namespace in (("a", "x"), ("a", "y", "z"), ("b",)):
        store.put((prefix, *namespace), "k", {"n": 1})


def store_list_namespaces():
    list_of("list")
    assert store.list_namespaces(prefix=("list",)) == [("list", "a", "x"), ("list", "a", "y", "z"), ("list", "b")]
    assert store.list_namespaces(prefix=("list", "a")) == [("list", "a", "x"), ("list", "a", "y", "z")]
    assert store.list_namespaces(prefix=("list",), suffix=("z",)) == [("list", "a", "y", "z")]
    assert store.list_namespaces(prefix=("list",), max_depth=2) == [("list", "a"), ("list", "b")]
    assert store.list_namespaces(prefix=("list",), limit=1, offset=1) == [("list", "a", "y", "z")]


def store_list_namespaces_with_a_wildcard():
    list_of("wild")
    assert store.list_namespaces(prefix=("wild", "*", "x")) == [("wild", "a", "x")]


def store_list_namespaces_without_prefix():
    list_of("bare")
    assert {("bare", "b"), ("bare", "a", "x")} <= set(store.list_namespaces(limit=100))
    assert store.list_namespaces(suffix=("y", "z"), limit=100).count(("bare", "a", "y", "z")) == 1


def store_list_namespaces_of_many_items():
    store.put(("many", "first"), "k", {})
    store.batch([PutOp(("many", "last"), f"k{i}", {}) for i in range(100)])
    assert store.list_namespaces(prefix=("many",)) == [("many", "first"), ("many", "last")]


def store_batch():
    done = store.batch([PutOp(("batch",), "a", {"n": 1}), PutOp(("batch",), "b", {"n": 2}), PutOp(("batch", "x"), "c", {"n": 3})])
    assert done == [None, None, None]
    one, found, none, gone = store.batch(
        [GetOp(("batch",), "a"), SearchOp(("batch",), None, 2), GetOp(("batch",), "nothing"), PutOp(("batch",), "b", None)])
    assert one.value == {"n": 1} and len(found) == 2 and none is None and gone is None
    assert keys(store.search(("batch",))) == ["a", "c"]


def store_async():
    async def go():
        await store.aput(("async",), "a", {"n": 1})
        found = await store.asearch(("async",))
        listed = await store.alist_namespaces(prefix=("async",))
        await store.adelete(("async",), "a")
        return (await store.aget(("async",), "a")), keys(found), listed

    assert asyncio.run(go()) == (None, ["a"], [("async",)])


def store_created_at():
    store.put(("created",), "a", {"n": 1})
    created = store.get(("created",), "a").created_at
    time.sleep(0.01)
    store.put(("created",), "a", {"n": 2})
    again = store.get(("created",), "a")
    assert again.created_at == created and again.updated_at > created


def store_ttl():
    store.put(("ttl",), "a", {"n": 1}, ttl=1)
    assert store.get(("ttl",), "a").value == {"n": 1}


def case(_: str, name: str, ok: bool, error: str | None) -> None:
    note(name, None if ok else error or "?")


suite = asyncio.run(validate(through_the_sdk, progress=ProgressCallbacks(on_test_result=case)))
for capability, result in suite.results.items():
    if not result.detected:
        note(capability, "not implemented")
suite_cases = len(passed) + len(failed)

for name, check in [(name, check) for name, check in globals().items() if name.startswith("store_")]:
    try:
        check()
        note(name, None)
    except Exception as e:  # what is wrong goes into the report
        note(name, f"{type(e).__name__}: {e}")

print(json.dumps({"suite": suite_cases, "passed": passed, "failed": failed}))

"""Goes through all memory calls of a plane with the published RemoteSaver, and prints what it saw."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

from aiel_sdk import AielClient, ApiError
from aiel_sdk.memory import RecallQuery, RemoteSaver, ThreadMessage, ThreadScope

client = AielClient(base_url=os.environ["PLANE"], api_key=os.environ["TOKEN"])
saver = RemoteSaver(client, workspace_id=os.environ["WORKSPACE"], project_id=os.environ["PROJECT"])
seen = {}

# Names as people give them: everything that a path segment can be misread by.
keys = ["user:42/session abc?x=1#y%2F;z=1", "jira:SUP-001", "grüß 😀 @home~1", "a%2Fb", "a+b&c", "...", "*", "messages:append"]
threads = {}
for key in keys:
    written = saver.thread_write(
        thread_key=f"  {key} ",
        messages=[
            ThreadMessage(role="human", content=f"of {key}", meta={"n": 1.5, "none": None}),
            ThreadMessage(role="tool", content="x" * 20_000, ts="2026-01-01T00:00:00Z"),
        ],
        scope=ThreadScope(user_id="u1", agent_id="a1"),
        ttl_seconds=3600,
    )
    read = saver.thread_read(thread_key=key)
    threads[read.thread_id] = key
    assert read == written, (read, written)
    assert [m.content for m in read.messages] == [f"of {key}", "x" * 20_000], key
    assert read.messages[0].meta == {"n": 1.5, "none": None}
    assert read.messages[1].ts == "2026-01-01T00:00:00Z"
seen["threads"] = len(threads)

unknown = saver.thread_read(thread_key="unknown")
assert unknown.messages == [] and unknown.thread_id and unknown.updated_at
assert saver.state_read(thread_key="unknown").state == {}
assert saver.checkpoint_read_latest(thread_key="unknown") is None
assert saver.recall_get(namespace=["nobody"], key="nothing") is None

state = {"stage": "triage", "big": 2**80, "float": 1e23, "nested": {"b": [1, {"a": None}], "a": 0.1}, "ü": "\u2028😀"}
assert saver.state_patch(thread_key="t", patch=state, ttl_seconds=60).state == state
assert saver.state_patch(thread_key="t", patch={"stage": "done"}).state == {**state, "stage": "done"}
assert list(saver.state_read(thread_key="t").state) == list(state)

packed = {"_langgraph_checkpoint": {"v": 4, "id": "1f", "channel_values": {"messages": {"type": "msgpack", "data": "gqNtZXNzYWdlc5A="}}}}
first = saver.checkpoint_write(thread_key="t", state=packed, metadata={"step": -1})
second = saver.checkpoint_write(thread_key="t", state=packed, metadata={"step": 0}, ttl_seconds=86400)
assert first.checkpoint_id != second.checkpoint_id
assert saver.checkpoint_read_latest(thread_key="t") == second
assert second.state == packed and second.metadata == {"step": 0} and second.created_at

put = saver.recall_put(namespace=["users", "1"], key="tea", value={"text": "likes green tea"}, tags={"type": "taste"}, ttl_seconds=31536000)
assert put["ok"] is True and put["id"]
saver.recall_put(namespace=["users", "1", "work"], key="job", value={"text": "bakes bread"})
saver.recall_put(namespace=["users", "2"], key="tea", value={"text": "black tea"}, tags={"type": "taste"})


def found(namespace, query, limit=20):
    return sorted(item.key for item in saver.recall_search(query=RecallQuery(namespace=namespace, query=query, limit=limit)))


item = saver.recall_get(namespace=["users", "1"], key="tea")
assert item.value == {"text": "likes green tea"} and item.tags == {"type": "taste"} and item.updated_at
assert found(["users"], {}) == ["job", "tea", "tea"]
assert found(["users", "1"], {}) == ["job", "tea"]
assert found(["users"], {}, 2).__len__() == 2
assert found(["users"], {"text": "tea or bread"}) == ["job", "tea", "tea"]
assert found(["users"], {"tags": {"type": "taste"}, "key_prefix": "t"}) == ["tea", "tea"]
kept = {"text": "sweet", "embedding": [0.1, 0.9]}
assert saver.recall_put(namespace=["vectors"], key="sweet", value=kept)["embedding_dimensions"] == 2
saver.recall_put(namespace=["vectors"], key="sour", value={"text": "sour", "embedding": [0.9, 0.1]})
near = saver.recall_search(query=RecallQuery(namespace=["vectors"], query={"vector": [0, 1]}))
assert [item.key for item in near] == ["sweet", "sour"] and near[0].value == kept
assert saver.recall_forget(namespace=["users", "1"], selector={"keys": ["tea"]})["deleted"] == 1
saver.recall_forget_key(namespace=["users", "1", "work"], key="job")
assert saver.recall_forget(namespace=["users"], selector={"tags": {"type": "taste"}})["deleted"] == 1
assert found(["users"], {}) == []

# As many at once as the contract names.
with ThreadPoolExecutor(32) as pool:
    list(pool.map(lambda i: saver.thread_write(thread_key="busy", messages=[ThreadMessage(role="ai", content=f"m{i}")]), range(96)))
    list(pool.map(lambda i: saver.state_patch(thread_key="busy", patch={f"k{i}": i}), range(64)))
seen["messages"] = len({m.content for m in saver.thread_read(thread_key="busy", limit=200).messages})
seen["state"] = len(saver.state_read(thread_key="busy").state)


def refusal(call):
    try:
        call()
    except ApiError as e:
        return f"{e.status} {e.code}"
    return "none"


seen["refusals"] = {
    "role": refusal(lambda: saver.thread_write(thread_key="t", messages=[ThreadMessage(role="user", content="m")])),
    "nul": refusal(lambda: saver.state_patch(thread_key="t", patch={"a": "x\0y"})),
    "half": refusal(lambda: saver.state_patch(thread_key="t", patch={"a": "\ud800"})),
    "brief": refusal(lambda: saver.state_patch(thread_key="t", patch={}, ttl_seconds=59)),
    "large": refusal(lambda: saver.state_patch(thread_key="t", patch={"a": "x" * 2_000_000})),
    "latest": refusal(lambda: client._request(
        "memory", "GET", f"/v1/workspaces/{os.environ['WORKSPACE']}/projects/{os.environ['PROJECT']}/memory/thread/none/checkpoint/latest")),
}
print(json.dumps(seen))

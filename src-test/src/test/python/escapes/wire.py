"""Frames that a worker has no business to send, on the one connection that it has. The event's ``frame`` is sent as it is; ``OWN`` in
it is replaced by the id of the running call."""

import gc
import json
import socket
import struct
import time

from aiel_sdk import tool


@tool("forge")
def forge(ctx, event):
    own = next((t._call for t in gc.get_objects() if type(t).__name__ == "Worker" and getattr(t, "_call", None)), "unknown")
    if "frame" in event:
        body = json.dumps(event["frame"]).replace("OWN", own).encode()
    else:
        body = bytes.fromhex(event["bytes"])
        if event.get("times"):
            body = body * event["times"]
    data = struct.pack(">I", len(body)) + body
    for fd in range(3, 64):
        try:
            with socket.fromfd(fd, socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.sendall(data)
        except OSError:
            pass
    time.sleep(0.2)
    return {"real": True}


@tool("victim")
def victim(ctx, event):
    ctx.log("victim.before")
    time.sleep(event["seconds"])
    return {"real": True}


@tool("plant")
def plant(ctx, event):
    try:
        with open("/tmp/planted", "w") as file:
            file.write(event["secret"])
    except OSError:
        pass  # a tier without a scratch folder
    return {"planted": True}

"""Calls a plane through the published AielClient and prints how each refusal arrives: status, code, attempts."""

import json
import os
import sys
import urllib.request

from aiel_sdk import AielClient, ApiError

attempts = 0
plain_open = urllib.request.urlopen


def counting(*arguments, **named):
    global attempts
    attempts += 1
    return plain_open(*arguments, **named)


urllib.request.urlopen = counting


def call(name, token, method, path, body=None, **named):
    global attempts
    attempts = 0
    client = AielClient(base_url=os.environ["PLANE"], api_key=token, **named)
    try:
        answer = client._request("plane", method, path, json_body=body)
        seen = {"name": name, "answer": answer}
    except ApiError as e:
        seen = {"name": name, "status": e.status, "code": e.code, "message": str(e), "request_id": e.request_id}
    seen["attempts"] = attempts
    print(json.dumps(seen))


for line in sys.stdin.read().strip().split("\n"):
    case = json.loads(line)
    call(case["name"], case["token"], case["method"], case["path"], case.get("body"), **case.get("client", {}))

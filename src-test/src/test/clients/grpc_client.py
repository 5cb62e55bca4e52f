"""A Python client generated of plane.proto, told on standard input what to do; prints what it saw as JSON.

Input: {"target", "token", "stubs": folder of the generated modules, "steps": [...]}. Steps:
{"do": "call", "service", "method", "request"} and, if wanted, "token", "metadata", "timeout" (seconds), "give_up_after" (seconds);
{"do": "stream", "request"} and, if wanted, "pause" (seconds before each event is taken), "take" (events, after which it leaves), and those of call;
{"do": "health", "service"}; {"do": "watch"} (health, until it ends or "timeout"); {"do": "reflection"}; {"do": "methods"}: each method of the interface is called with an empty request.
"""

import json
import sys
import time

asked = json.load(sys.stdin)
sys.path.insert(0, asked["stubs"])

import grpc
from aiel.plane.v1 import plane_pb2, plane_pb2_grpc
from google.protobuf import descriptor_pool, json_format, struct_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

KINDS = [error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo, error_details_pb2.BadRequest, struct_pb2.Struct]
channel = grpc.insecure_channel(asked["target"], options=[
    ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
    # The usual client takes tens of megabytes ahead of its reader where the other end is near; this one takes what it is read.
    ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)])
stubs = {
    "ExecutionService": plane_pb2_grpc.ExecutionServiceStub(channel),
    "CapabilityService": plane_pb2_grpc.CapabilityServiceStub(channel),
}
services = plane_pb2.DESCRIPTOR.services_by_name


def plain(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def metadata(step):
    token = step.get("token", asked["token"])
    said = [tuple(pair) for pair in step.get("metadata", [])]
    return said + ([("authorization", "Bearer " + token)] if token else [])


def request_of(step, service, method):
    kind = services[service].methods_by_name[method].input_type._concrete_class
    message = json_format.ParseDict(step.get("request", {}), kind())
    # So large that it is made here rather than told.
    if "pad_json" in step:
        message.input_json = b'{"pad":"' + b"x" * step["pad_json"] + b'"}'
    return message


def failed(error):
    seen = {"code": error.code().name, "message": error.details(), "details": {}, "trailers": {}}
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        for kind in KINDS:
            if detail.Is(kind.DESCRIPTOR):
                unpacked = kind()
                detail.Unpack(unpacked)
                seen["details"][kind.DESCRIPTOR.name] = plain(unpacked)
    for key, value in error.trailing_metadata() or ():
        seen["trailers"][key] = value if isinstance(value, str) else value.hex()
    return seen


def call(step):
    service, method = step.get("service", "ExecutionService"), step["method"]
    message = request_of(step, service, method)
    begun = time.monotonic()
    future = getattr(stubs[service], method).future(message, metadata=metadata(step), timeout=step.get("timeout"))
    if "give_up_after" in step:
        time.sleep(step["give_up_after"])
        future.cancel()
    try:
        response = future.result()
        return {"response": plain(response), "headers": dict(future.initial_metadata()), "seconds": time.monotonic() - begun}
    except grpc.FutureCancelledError:
        return {"given_up": True}
    except grpc.RpcError as error:
        return {**failed(error), "seconds": time.monotonic() - begun}


def stream(step):
    message = request_of(step, "ExecutionService", "InvokeStream")
    events = stubs["ExecutionService"].InvokeStream(message, metadata=metadata(step), timeout=step.get("timeout"))
    seen = []
    try:
        for event in events:
            seen.append({"at": time.monotonic(), **(plain(event) if step.get("keep", True) else {"kind": event.WhichOneof("event")})})
            if len(seen) == step.get("take"):
                events.cancel()
                return {"events": seen, "left": True}
            time.sleep(step.get("pause", 0))
        return {"events": seen}
    except grpc.RpcError as error:
        return {"events": seen, **failed(error)}


def health(step):
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        found = stub.Check(health_pb2.HealthCheckRequest(service=step.get("service", "")), timeout=10)
        return {"status": health_pb2.HealthCheckResponse.ServingStatus.Name(found.status)}
    except grpc.RpcError as error:
        return failed(error)


def watch(step):
    stub, seen = health_pb2_grpc.HealthStub(channel), []
    begun = time.monotonic()
    try:
        for found in stub.Watch(health_pb2.HealthCheckRequest(), timeout=step.get("timeout")):
            seen.append(health_pb2.HealthCheckResponse.ServingStatus.Name(found.status))
    except grpc.RpcError as error:
        return {"seen": seen, **failed(error), "seconds": time.monotonic() - begun}
    return {"seen": seen}


def reflection(_):
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = descriptor_pool.DescriptorPool(database)
    return {
        "services": sorted(database.get_services()),
        "methods": {
            name: [method.name for method in pool.FindServiceByName(name).methods]
            for name in database.get_services()
            if name.startswith("aiel.")
        },
    }


def methods(step):
    """Each method, as reflection tells them, with the same request wherever it has these fields."""
    answers = {}
    for service, methods in reflection({})["methods"].items():
        short = service.rsplit(".", 1)[1]
        for method in methods:
            kind = services[short].methods_by_name[method].input_type
            fields = step.get("requests", {}).get(method, step.get("request", {}))
            told = {name: value for name, value in fields.items() if name in kind.fields_by_name}
            one = {**step, "request": told, "service": short, "method": method}
            answers[short + "/" + method] = stream(one) if method == "InvokeStream" else call(one)
    return answers


DO = {"call": call, "stream": stream, "health": health, "watch": watch, "reflection": reflection, "methods": methods}
print(json.dumps([DO[step["do"]](step) for step in asked["steps"]]))

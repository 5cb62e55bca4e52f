"""Checks an execution's audit records without any of the plane's code: RFC 8785 bytes, SHA-256, sequence, chain.

Standard input: what GET /v1/audit/events answers (one page, any order). Prints a summary as JSON; ends with 1 and a reason
per line when something does not hold.
"""

import hashlib
import json
import sys


def text(value):
    """RFC 8785, section 3.2.2.2: the escapes of ECMAScript."""
    out = ['"']
    for character in value:
        code = ord(character)
        if character in '"\\':
            out.append("\\" + character)
        elif character in "\b\t\n\f\r":
            out.append({"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}[character])
        elif code < 0x20:
            out.append("\\u%04x" % code)
        elif 0xD800 <= code <= 0xDFFF:
            raise ValueError("a lone surrogate has no canonical form")
        else:
            out.append(character)
    out.append('"')
    return "".join(out)


def number(value):
    """RFC 8785, section 3.2.2.3, as ECMAScript prints a double."""
    if isinstance(value, int) and abs(value) <= 2**53:
        return str(value)
    value = float(value)
    if value == 0:
        return "0"
    mantissa, exponent = repr(value).lower(), 0
    sign = "-" if mantissa.startswith("-") else ""
    mantissa = mantissa.lstrip("-")
    if "e" in mantissa:
        mantissa, e = mantissa.split("e")
        exponent = int(e)
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + exponent - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    digits = digits.rstrip("0") or "0"
    k = len(digits)
    if k <= point <= 21:
        body = digits + "0" * (point - k)
    elif 0 < point <= 21:
        body = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        e = point - 1
        body = digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if e > 0 else "-") + str(abs(e))
    return sign + body


def canonical(value):
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(each) for each in value) + "]"
    # Section 3.2.3: members are ordered by the UTF-16 code units of their names.
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
    return "{" + ",".join(text(name) + ":" + canonical(each) for name, each in members) + "}"


def problems(records):
    streams = {}
    for record in records:
        streams.setdefault(record["event"]["stream"], []).append(record)
    for stream, chain in streams.items():
        chain.sort(key=lambda record: int(record["event"]["sequence"]))
        before = "sha256:" + "0" * 64
        for expected, record in enumerate(chain, 1):
            event = record["event"]
            if int(event["sequence"]) != expected:
                yield "%s: sequence %s where %d belongs" % (stream, event["sequence"], expected)
            if event["prev"] != before:
                yield "%s: record %d does not name the one before" % (stream, expected)
            before = "sha256:" + hashlib.sha256(canonical(event).encode("utf-8")).hexdigest()
            if record["hash"] != before:
                yield "%s: the hash of record %d is not that of its bytes" % (stream, expected)


if __name__ == "__main__":
    found = json.loads(sys.stdin.read(), parse_float=float)["events"]
    wrong = list(problems(found))
    for line in wrong:
        print(line, file=sys.stderr)
    print(json.dumps({"records": len(found), "types": [r["event"]["type"] for r in found]}))
    sys.exit(1 if wrong or not found else 0)

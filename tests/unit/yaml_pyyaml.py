# SPDX-License-Identifier: Apache-2.0
"""Does PyYAML read what we wrote as we meant it?

yaml_pyyaml.py FILE EXPECTED: EXPECTED has one string a line, in hexadecimal.
Every function name, file, comment, label key and label value of FILE must be
the string at its place, and every number a whole number.
"""
import sys

import yaml


def as_bytes(value, where):
    """A string's bytes; what is not UTF-8 comes as bytes already."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    sys.exit(f"{where}: {value!r} is a {type(value).__name__}")


def compare(values, expected, where):
    found = [as_bytes(value, where) for value in values]
    if found != expected:
        for mine, theirs in zip(expected, found):
            if mine != theirs:
                sys.exit(f"{where}: wrote {mine!r}, read {theirs!r}")
        sys.exit(f"{where}: wrote {len(expected)}, read {len(found)}")


def whole(value, expected, where):
    if type(value) is not int or value != expected:
        sys.exit(f"{where}: {value!r} for {expected}")


def main():
    loader = getattr(yaml, sys.argv[3])
    with open(sys.argv[1], "rb") as f:
        doc = yaml.load(f, Loader=loader)
    with open(sys.argv[2]) as f:
        expected = [bytes.fromhex(line) for line in f.read().split("\n")[:-1]]
    lines = [location["lines"][0] for location in doc["locations"]]
    compare([line["fn"] for line in lines], expected, "fn")
    compare([line.get("file", "") for line in lines], expected, "file")
    compare(doc["comments"], expected, "comments")
    compare(list(doc["samples"][0]["labels"]), expected, "label keys")
    compare([v[0] for v in doc["samples"][0]["labels"].values()], expected,
            "label values")
    compare([as_bytes(v[0], "units").split(b" ", 1)[1]
             for v in doc["samples"][1]["num"].values()],
            [b"%d" % i + s for i, s in enumerate(expected)
             if is_utf8(s)], "units")
    whole(doc["time_nanos"], -2 ** 63, "time_nanos")
    whole(doc["duration_nanos"], 2 ** 63 - 1, "duration_nanos")
    whole(doc["mappings"][0]["limit"], 2 ** 64 - 1, "limit")
    whole(doc["samples"][0]["v"][0], -1, "v")


def is_utf8(s):
    try:
        s.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validates a file of messages, one a line, against the published schema; and checks the validation itself: each
message spoilt in a way that the schema forbids must be refused. Exit code 77: no jsonschema here."""

import copy
import json
import sys
from pathlib import Path

try:
    import jsonschema
except ImportError:
    sys.exit(77)

SCHEMA = Path(__file__).resolve().parents[3] / "packaging" / "schema" / "fieldpost-message-v1.schema.json"


def spoilt(message):
    """Messages that are wrong in one thing each."""
    def changed(change):
        other = copy.deepcopy(message)
        change(other)
        return other
    yield changed(lambda m: m.pop("epoch"))
    yield changed(lambda m: m.update(v=2))
    yield changed(lambda m: m.update(seq="1"))
    yield changed(lambda m: m.update(lane="fast"))
    yield changed(lambda m: m.update(first_seq=0))
    yield changed(lambda m: m.update(thinned=False))
    yield changed(lambda m: m.update(surprise=1))
    yield changed(lambda m: m["time"].update(start="yesterday"))
    if "series" in message:
        yield changed(lambda m: m["series"][0].update(kind="histogram"))
        yield changed(lambda m: m.pop("times"))
    if "gaps" in message:
        yield changed(lambda m: m["gaps"][0].update(cause="weather"))


def main(path):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema)
    failures = count = 0
    for count, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        message = json.loads(line)
        error = jsonschema.exceptions.best_match(validator.iter_errors(message))
        if error is not None:
            failures += 1
            print(f"message {count}, {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
        for wrong in spoilt(message):
            if validator.is_valid(wrong):
                failures += 1
                print(f"message {count}: a spoilt copy was taken for right")
    print(f"{count} messages validated, {failures} failures")
    sys.exit(1 if failures or count == 0 else 0)


if __name__ == "__main__":
    main(sys.argv[1])

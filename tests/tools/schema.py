# SPDX-License-Identifier: Apache-2.0
"""Checks real messages against the published JSON Schema."""

import json
from functools import lru_cache
from pathlib import Path

import jsonschema

from tests.tools import message as wire
from tests.tools import senml
from tests.tools.senml_documents import document_of_pack

FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "schema"


@lru_cache(maxsize=None)
def validator():
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"no schema in {FOLDER}")
    schema = json.loads(files[-1].read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def violations(arrivals):
    """One sentence for each message that breaks the schema."""
    found = []
    for position, arrival in enumerate(arrivals, start=1):
        try:
            payload = wire.plain(arrival.payload)
            if wire.is_native(payload):
                continue  # has its own format, and the decoder reads it
            document = document_of_pack(payload) if senml.is_pack(payload) else json.loads(payload)
        except ValueError as error:
            found.append(f"message {position} on {arrival.topic} is not JSON: {error}")
            continue
        error = jsonschema.exceptions.best_match(validator().iter_errors(document))
        if error is not None:
            place = "/".join(map(str, error.absolute_path)) or "the top"
            found.append(f"message {position} on {arrival.topic} breaks the schema at {place}: "
                         f"{error.message[:200]}")
    return found

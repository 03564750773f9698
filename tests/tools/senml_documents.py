# SPDX-License-Identifier: Apache-2.0
"""A SenML pack of the agent as the document of packaging/schema/ that says the same."""

from tests.tools import senml
from tests.tools.flat_records import Flat, document


def document_of_pack(payload):
    """Raises senml.Unreadable, or ValueError for a pack that is not ours."""
    records = senml.read(payload)
    device = records[0].name.split("/")[0]
    if any(not record.name.startswith(device + "/") for record in records):
        raise ValueError("a pack of two devices")
    start = next(record for record in records if record.name == device + "/fieldpost/seq")
    if any(record.is_relative != start.is_relative for record in records):
        raise ValueError("a pack of relative and absolute times")
    return document(device.removeprefix("x:"),
                    [Flat(record.name.partition("/")[2], record.value, round((record.time - start.time) * 1000), record.unit)
                     for record in records if not record.name.endswith("/fieldpost/left_out")],
                    round(start.time * 1000), not start.is_relative)

"""Other people's view of the contract: `python -m contract.schema` prints contract/schema.json."""

import json
import sys
from typing import Any, Literal

from pydantic import TypeAdapter

from contract.events import Event
from contract.messages import MESSAGES


def schema() -> str:
    """Return the JSON Schema of every event and message, with sorted keys, ending in a newline."""
    adapters: dict[str, TypeAdapter[Any]] = {"event": TypeAdapter(Event), **MESSAGES}
    parts: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (name, "validation", adapter) for name, adapter in adapters.items()
    ]
    refs, document = TypeAdapter.json_schemas(parts, title="telecentre contract", ref_template="#/$defs/{model}")
    names = {name: ref for (name, _), ref in refs.items()}
    return json.dumps({**document, "messages": names}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())

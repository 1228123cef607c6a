"""Two tools, whoever is asked to use them, and what they say."""

CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED = {"role": "user", "content": "use a tool"}
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": f"It {name}s.", "parameters": CITY},
    }
    for name in ("see", "hear")
]


def results_of(message):
    """Return a result for each call of an assistant's message."""
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in message.get("tool_calls", ())
    ]

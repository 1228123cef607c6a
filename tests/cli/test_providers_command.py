"""`asyncllm providers`."""

import re

from support.command_line import run


def test_providers_is_a_table():
    done = run("providers")
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if "h2o" in line)
    for cell in ("chat-ui", "falcon-40b, falcon-7b, llama-13b", "none", "https://gpt-gm.h2o.ai"):
        assert cell in row
    assert re.search(r"│ mistral +│ mistral +│", done.stdout)  # a service with a class of its own

"""A batch of prompts from plain synchronous code, several at a time.

python examples/batch.py PROMPTS.txt     with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asyncllm import AsyncLLMError, H2o, SessionManager, run_sync


def main() -> None:
    """Answer each line of a file, in its order."""
    prompts = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    with run_sync(SessionManager(spare_conversations=2)) as sessions:
        h2o = H2o(sessions=sessions)

        def answer(prompt: str) -> str:
            try:
                return run_sync(h2o.complete(prompt)).text
            except AsyncLLMError as error:
                return f"failed: {error}"

        with ThreadPoolExecutor(8) as threads:
            for prompt, text in zip(prompts, threads.map(answer, prompts), strict=True):
                print(f"{prompt}\t{text}")


if __name__ == "__main__":
    main()

"""A batch of prompts from plain synchronous code, several at a time.

python batch.py PROMPTS.txt > ANSWERS.tsv    with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asyncllm import AsyncLLMError, H2o, SessionManager, run_sync

THREADS = 8


def main() -> int:
    """Answer each line of a file, in order, and return the exit status."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    prompts = [line for line in lines if line.strip()]
    failed = 0
    # The sessions close first: after Ctrl-C this ends what the threads are waiting for.
    with ThreadPoolExecutor(THREADS) as threads, run_sync(SessionManager()) as sessions:
        h2o = H2o(sessions=sessions)

        def answer(prompt: str) -> str | AsyncLLMError:
            try:
                return run_sync(h2o.complete(prompt)).text
            except AsyncLLMError as error:
                return error

        for prompt, text in zip(prompts, threads.map(answer, prompts), strict=True):
            if isinstance(text, AsyncLLMError):
                failed += 1
                print(f"{prompt}: {text}", file=sys.stderr)
            else:
                print(prompt, text.replace("\n", "\\n"), sep="\t", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

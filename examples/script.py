"""A script that knows nothing of asyncio: asks once, and prints the answer as it comes.

python examples/script.py "Hello"        with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
"""

import sys

from asyncllm import AsyncLLMError, H2o, run_sync


def main() -> None:
    """Ask what the command line says."""
    stream = run_sync(H2o().stream(" ".join(sys.argv[1:]) or "Hello"))
    try:
        for token in stream:
            print(token, end="", flush=True)
    except AsyncLLMError as error:
        sys.exit(f"\n{error}")
    print(f"\n({stream.reply.finish_reason})")


if __name__ == "__main__":
    main()

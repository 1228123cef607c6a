"""A script that knows nothing about asyncio: it asks once, and prints the answer as it arrives.

python script.py "Hello"                 with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
"""

import sys

from asyncllm import AsyncLLMError, H2o, run_sync


def main() -> int:
    """Ask the question on the command line, and return the exit status."""
    stream = run_sync(H2o().stream(" ".join(sys.argv[1:]) or "Hello"))
    try:
        with stream:  # leaving it, in any way, stops the generation
            for token in stream:
                print(token, end="", flush=True)
    except AsyncLLMError as error:
        print(f"\n{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n(stopped after {len(stream.reply.text)} characters)", file=sys.stderr)
        return 130
    print(f"\n({stream.reply.finish_reason})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

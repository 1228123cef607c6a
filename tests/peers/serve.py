"""Serves the tiny model with llama.cpp's own server until its standard input closes.

Run as `python serve.py <folder for the model> <API key>`; it writes the server's address.
"""

import sys
from pathlib import Path

import xllamacpp
from tiny_model import TRAINED_CONTEXT, write_tiny_model

SLOTS = 2


def main(folder: Path, api_key: str) -> None:
    model = folder / "tiny.gguf"
    write_tiny_model(model)
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {"tiny"}
    params.api_keys = [api_key]
    params.port = 0  # a free one
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * TRAINED_CONTEXT
    params.ctx_shift = True  # an answer without max_tokens never ends by itself
    params.endpoint_slots = True
    params.cpuparams.n_threads = 1  # the tests run on this machine too
    params.fit_params = False
    params.ui = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

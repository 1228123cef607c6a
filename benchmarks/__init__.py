"""How fast asyncllm is, always as a ratio to something measured at its side.

`python -m benchmarks` measures everything in some forty minutes, `--quick` in about six;
`python -m benchmarks --help` says what else there is. All traffic stays on 127.0.0.1.
"""

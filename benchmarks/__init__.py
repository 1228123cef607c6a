"""How fast asyncllm is, always as a ratio to something measured at its side.

`python -m benchmarks` measures everything in some ten minutes, `--quick` in little more than one;
`python -m benchmarks --help` says what else there is. All traffic stays on 127.0.0.1.
"""

"""The old module interface, for code that was written against it.

`from asyncllm.compat.H2o import _create_completion` and so on: the documented names, each module
made of its provider in `asyncllm`.
"""

"""Other people's interfaces to the providers: the old modules, and the adapters for frameworks.

`from asyncllm.compat.H2o import _create_completion` and so on are for code that was written against
the documented modules: their names, each module made of its provider in `asyncllm`. `langchain`,
`pydantic_ai` and `llama_index` have any provider work in those frameworks; each needs its extra.
"""

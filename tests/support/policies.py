"""Retry policies with which no test waits long."""

from asyncllm import Retry

ONCE = Retry(attempts=1)
TWICE = Retry(attempts=2, initial_wait=0.001, max_wait=0.002)
QUICK = Retry(attempts=3, initial_wait=0.001, max_wait=0.002)

"""The page of parameters and options has those that the code has, and no other."""

import inspect
import re

from page_runner import ROOT

from asyncllm import AsyncGeneratorProvider, ProviderOptions

PAGE = (ROOT / "docs/parameters.md").read_text("utf-8")


def listed(heading):
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| ", section, re.MULTILINE)


def test_the_page_lists_the_parameters_of_a_call():
    found = inspect.signature(AsyncGeneratorProvider.stream).parameters.values()
    named = [each.name for each in found if each.kind is each.KEYWORD_ONLY]
    assert sorted(listed("Parameters of a call")) == sorted(named)


def test_the_page_lists_the_options_that_every_provider_takes():
    assert sorted(listed("Options of a provider")) == sorted(ProviderOptions.__annotations__)

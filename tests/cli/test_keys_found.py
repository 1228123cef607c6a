"""Which variables hold which provider's key, held against the providers themselves."""

import pytest

from asyncllm.registry import key_variables, provider

KEY = "sk-a-key-that-nobody-has-0123456789"
VARIABLES = key_variables()
NEEDED = {
    "tgi": {"base_url": "https://tgi.example"},
    "lockchat": {"base_url": "https://lockchat.example"},
    "azure": {"endpoint": "https://res.openai.azure.com"},
}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for variable in sum(VARIABLES.values(), ()):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("name", "variable"),
    [(name, each) for name, variables in VARIABLES.items() for each in variables],
)
def test_a_provider_takes_its_key_from_each_of_its_variables(name, variable, monkeypatch):
    monkeypatch.setenv(variable, KEY)
    assert any(KEY in secret for secret in provider(name, **NEEDED.get(name, {})).secrets)


@pytest.mark.parametrize("name", [name for name in VARIABLES if VARIABLES[name]])
def test_the_first_of_its_variables_wins(name, monkeypatch):
    for number, variable in enumerate(VARIABLES[name]):
        monkeypatch.setenv(variable, f"{KEY}{number}")
    assert f"{KEY}0" in provider(name, **NEEDED.get(name, {})).secrets

"""Providers are found by name, ours and those of others."""

from __future__ import annotations

import sys

import pytest

import asyncllm
from asyncllm import AsyncGeneratorProvider, ConfigurationError, H2o, provider
from asyncllm.providers.names import OF_SERVICES
from asyncllm.providers.services import SERVICES
from asyncllm.registry import ENTRY_POINT_GROUP, provider_class, provider_classes

PROVIDER = """
from asyncllm import AsyncGeneratorProvider, Finish

class Parrot(AsyncGeneratorProvider):
    url = "https://parrot.example"

    async def generate(self, request, http):
        yield ["polly", Finish("stop")]

def not_a_class():
    return Parrot

class NotAProvider:
    pass
"""
MODULE = "asyncllm_test_parrot"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a third party's package with these entry points, as pip would."""

    def install(**places: str) -> None:
        (tmp_path / f"{MODULE}.py").write_text(PROVIDER)
        metadata = tmp_path / f"{MODULE}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1.0\n")
        points = "".join(f"{name} = {place}\n" for name, place in places.items())
        (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{points}")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, MODULE, raising=False)

    yield install
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize("name", ["h2o", "H2o", "H2O"])
def test_a_provider_is_found_by_its_name_in_any_case(name):
    assert provider_class(name) is H2o
    assert type(provider(name)) is H2o


def test_options_go_to_the_constructor():
    assert provider("h2o", base_url="http://localhost:3000/").base_url == "http://localhost:3000"
    with pytest.raises(ConfigurationError, match="base_url"):
        provider("h2o", base_url="localhost")


@pytest.mark.parametrize("name", ["h20", "H2", "ho2"])
def test_an_unknown_name_is_refused_with_the_nearest_match(name):
    with pytest.raises(ConfigurationError, match=r"no provider .*did you mean 'h2o'") as caught:
        provider(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["", "something-else-altogether"])
def test_a_name_like_no_other_is_refused_with_the_names_there_are(name):
    with pytest.raises(ConfigurationError, match=r"the providers are .*h2o") as caught:
        provider_class(name)
    assert "did you mean" not in str(caught.value)


def test_the_names_that_are_offered_are_those_of_the_services():
    assert tuple(SERVICES) == OF_SERVICES


def test_every_one_of_our_own_places_holds_a_provider():
    for name in provider_classes():
        assert issubclass(provider_class(name), AsyncGeneratorProvider)


async def test_a_third_party_joins_through_an_entry_point(install):
    install(Parrot=f"{MODULE}:Parrot")
    assert MODULE not in sys.modules
    assert "parrot" in provider_classes()
    assert MODULE not in sys.modules
    parrot = asyncllm.provider("PARROT", model="birds/grey")
    assert type(parrot).__name__ == "Parrot"
    assert parrot.base_url == "https://parrot.example"
    assert str(await parrot.complete("Hi")) == "polly"


def test_a_third_party_s_name_is_hinted_at_too(install):
    install(parrot=f"{MODULE}:Parrot")
    with pytest.raises(ConfigurationError, match="did you mean 'parrot'"):
        provider("parot")


@pytest.mark.parametrize("place", ["not_a_class", "NotAProvider", "Missing"])
def test_an_entry_point_that_is_no_provider_is_refused_by_its_place(install, place):
    install(parrot=f"{MODULE}:{place}")
    with pytest.raises(ConfigurationError, match=f"{MODULE}:{place}, registered as 'Parrot'"):
        provider_class("Parrot")


def test_an_entry_point_without_a_class_is_refused(install):
    install(parrot=MODULE)
    with pytest.raises(ConfigurationError, match="is not an AsyncGeneratorProvider class"):
        provider_class("parrot")


def test_an_entry_point_with_an_extra_is_found(install):
    install(parrot=f"{MODULE}:Parrot [speed]")
    assert provider_class("parrot").__name__ == "Parrot"


@pytest.mark.parametrize("name", ["h2o", "H2O"])
def test_our_own_names_win_over_third_parties(install, name):
    install(**{name: f"{MODULE}:Parrot"})
    assert provider_class("h2o") is H2o
    assert MODULE not in sys.modules

"""Limits and retry policies that make no sense are refused where they are written."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import pytest

from asyncllm import ConfigurationError, Retry, Timeouts
from asyncllm.options import STANDARD

LIMITS = ["connect", "first_token", "stall", "total"]
NOT_POSITIVE = [0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, True, "5", b"5", Decimal(5), [1]]


def test_the_defaults_are_the_documented_ones():
    assert Timeouts() == Timeouts(connect=10, first_token=120, stall=60, total=None)
    assert Retry() == Retry(attempts=3, initial_wait=0.5, max_wait=30)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [None, 1, 0.001, 86400])
def test_a_limit_is_a_positive_number_or_off(name, value):
    assert getattr(Timeouts(**{name: value}), name) == value


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", NOT_POSITIVE, ids=repr)
def test_any_other_limit_is_refused_by_its_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"Timeouts\.{name} must be .* or None"):
        Timeouts(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, math.nan], ids=repr)
def test_attempts_that_are_no_whole_number_from_one_are_refused(value):
    with pytest.raises(
        ConfigurationError, match=r"Retry\.attempts must be a whole number of at least 1"
    ):
        Retry(attempts=value)


@pytest.mark.parametrize("name", ["initial_wait", "max_wait"])
@pytest.mark.parametrize("value", [None, *NOT_POSITIVE], ids=repr)
def test_a_wait_that_is_no_positive_number_is_refused_by_its_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"Retry\.{name} must be .* seconds, not"):
        Retry(**{name: value})


@pytest.mark.parametrize("options", [Timeouts(), Retry()], ids=["Timeouts", "Retry"])
def test_options_are_frozen_and_hashable(options):
    name = options.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(options, name, 5)
    assert hash(options) == hash(type(options)())


def test_options_are_given_by_name():
    with pytest.raises(TypeError):
        Timeouts(5)
    with pytest.raises(TypeError):
        Retry(5)


def test_a_changed_copy_is_checked_too():
    assert msgspec.structs.replace(Timeouts(), stall=5).stall == 5
    with pytest.raises(ConfigurationError):
        msgspec.structs.replace(Timeouts(), stall=-5)


def test_a_provider_s_own_limits_count_where_nobody_has_set_any():
    own = Timeouts(first_token=600, stall=None)
    assert Timeouts(total=9).filled(own) == Timeouts(first_token=600, stall=None, total=9)
    # Whoever writes down what is the default anyway has set it.
    assert Timeouts(first_token=120, stall=60).filled(own) == Timeouts()
    assert msgspec.structs.replace(Timeouts(), stall=5).filled(own).stall == 5
    assert Timeouts().filled(STANDARD) == Timeouts(first_token=120, stall=60)

"""Proxies that can't be had are a visible skip, and in CI a failure."""

import pytest

from . import launcher


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_cannot_be_had_is_skipped_with_its_reason_but_not_in_ci(ci, outcome, monkeypatch):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(launcher._PACKAGES, "no-such-proxy", "no-such-package")
    monkeypatch.setattr(launcher, "_install", lambda: "there is no network")
    with pytest.raises(outcome, match="no-such-package is not installed: there is no network"):
        launcher._program("no-such-proxy")


def test_a_proxy_that_does_not_start_is_a_failure(tmp_path):
    broken = launcher._running("http", lambda port: ["false"])
    with pytest.raises(pytest.fail.Exception, match="false did not begin to listen"), broken:
        pass

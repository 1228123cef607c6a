"""The site, built once for all that look at it."""

import pytest
from page_runner import ROOT
from site_builder import build_site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    return build_site(ROOT / "docs", tmp_path_factory.mktemp("site"))

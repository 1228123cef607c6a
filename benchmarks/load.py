"""The load server's process, as those see it who start it."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from benchmarks.measure import start, stop

if TYPE_CHECKING:
    from collections.abc import Generator

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """Where a load server is.

    Attributes:
        http: its origin in plain HTTP, where it is also told what to do.
        https: its origin over TLS.
        authority: a file with the certificate authority that its certificate is of.

    """

    http: str
    https: str
    authority: str


@contextmanager
def load_server() -> Generator[Site]:
    """Run a load server, with a certificate that is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = Path(folder, "authority.pem"), Path(folder, "certificate.pem")
        maker = trustme.CA()
        maker.cert_pem.write_to_path(str(authority))
        maker.issue_cert(_HOST).private_key_and_cert_chain_pem.write_to_path(str(certificate))
        process = start([sys.executable, "-m", "benchmarks.server", str(certificate)])
        try:
            assert process.stdout is not None
            http, https = json.loads(process.stdout.readline())
            yield Site(f"http://{_HOST}:{http}", f"https://{_HOST}:{https}", str(authority))
        finally:
            stop(process)

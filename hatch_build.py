"""Run by hatchling before anything else: an unfit Python is refused at once.

pip reads `requires-python` of a source tree only after it has chosen versions of the extras, and
then tries all their other versions, for minutes.
"""

import platform
import sys

from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.specifiers import SpecifierSet


class FitPython(MetadataHookInterface):
    """Says which Python is needed, where this is not one."""

    def update(self, metadata: dict[str, object]) -> None:
        """Exit with a message, unless `requires-python` allows this Python."""
        needed = str(metadata["requires-python"])
        if not SpecifierSet(needed).contains(platform.python_version(), prereleases=True):
            sys.exit(
                f"{metadata['name']} needs Python {needed}; this is {platform.python_version()}."
            )

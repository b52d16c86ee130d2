"""Puts the compiled modules into a wheel, where HATCH_BUILD_HOOK_ENABLE_CUSTOM=true asks for it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))


class CompiledModules(BuildHookInterface[Any]):
    """Compiles, and makes the wheel one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the extension modules to a wheel that is not editable."""
        if version == "editable":
            return
        import compiling

        self._folder = Path(tempfile.mkdtemp())
        for library in compiling.build(self._folder):
            build_data["force_include"][str(library)] = str(library.relative_to(self._folder))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take away what was compiled for the wheel."""
        if version != "editable":
            shutil.rmtree(self._folder)

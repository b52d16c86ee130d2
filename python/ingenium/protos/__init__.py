"""The ``.proto`` files of bus and control plane, and templates to generate code from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingenium.errors import ConfigError

__all__ = ["FOLDER", "LANGUAGES", "Written", "write_protos"]

FOLDER = Path(__file__).parent
"""Folder of the files: an import path for ``protoc -I``."""

_BUF = """\
# Your own messages go beside proto/ingenium, such as proto/acme/v1/news.proto, and may import
# "ingenium/v1/events.proto".
version: v2
modules:
  - path: proto
lint:
  use:
    - STANDARD
breaking:
  use:
    - FILE
"""
_PYTHON = """\
# pip install 'ingenium[codegen]', then: buf generate
version: v2
plugins:
  - local: protoc-gen-python_betterproto2
    out: gen
    opt:
      - server_generation=none
      - client_generation=none
      - google_protobuf_descriptors
  # Classes of plain google.protobuf instead; those of ingenium/v1 are in the SDK, as
  # ingenium.v1.events_pb2.
  # - protoc_builtin: python
  #   protoc_path: [python, -m, grpc_tools.protoc]
  #   out: .
"""
_GO = """\
# go get google.golang.org/protobuf, then: buf generate
version: v2
managed:
  enabled: true
  override:
    # Your module, and the folder below it that the code goes into.
    - file_option: go_package_prefix
      value: {module}/gen
plugins:
  - local: [go, run, google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11]
    out: gen
    opt:
      - paths=source_relative
"""
_TYPESCRIPT = """\
# npm install @bufbuild/protobuf @bufbuild/protoc-gen-es, then: buf generate
version: v2
plugins:
  - local: node_modules/.bin/protoc-gen-es
    out: src/gen
    opt:
      - target=ts
      - import_extension=js
"""
_JAVA = """\
# protoc on PATH, of the version of protobuf-java that you use, then: buf generate
version: v2
plugins:
  - protoc_builtin: java
    out: src/main/java
"""
_RUST = """\
# cargo install protoc-gen-prost, then: buf generate
version: v2
plugins:
  - local: protoc-gen-prost
    out: src/gen
    opt:
      # What prost-reflect needs for JSON: the schema, and each type's name in it.
      - file_descriptor_set
      - enable_type_names
"""
_TEMPLATES = {
    "python": _PYTHON,
    "go": _GO,
    "typescript": _TYPESCRIPT,
    "java": _JAVA,
    "rust": _RUST,
}

LANGUAGES: Sequence[str] = tuple(_TEMPLATES)
"""Languages with a ``buf.gen.yaml`` template."""

_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)
_ANY_MODULE = "example.com/acme"


@dataclass(frozen=True, slots=True)
class Written:
    """Result of `write_protos`.

    Attributes:
        written: New or changed files.
        kept: Existing files that were not changed.
    """

    written: list[Path]
    kept: list[Path]


def write_protos(directory: Path, language: str = "", module: str = "") -> Written:
    """Write the ``.proto`` files, ``buf.yaml`` and ``buf.gen.yaml`` into a folder.

    The ``.proto`` files below ``proto/ingenium`` are always those of this version. The other two
    are yours: an existing one is not changed.

    Args:
        directory: The folder, created if missing.
        language: One of `LANGUAGES`; empty for no ``buf.gen.yaml``.
        module: Name of your Go module; that of ``go.mod`` in the folder when empty.

    Raises:
        ConfigError: The language is unknown, or the folder cannot be written to.
    """
    if language and language not in _TEMPLATES:
        raise ConfigError(f"language {language!r} is unknown: use one of {', '.join(LANGUAGES)}")
    texts = {
        Path("proto") / source.relative_to(FOLDER): source.read_text("utf-8")
        for source in sorted(FOLDER.rglob("*.proto"))
    }
    own = {Path("buf.yaml"): _BUF}
    if language:
        template = _TEMPLATES[language]
        own[Path("buf.gen.yaml")] = template.replace(
            "{module}", module or _go_module(directory) or _ANY_MODULE
        )
    done = Written([], [])
    try:
        for name, text in (texts | own).items():
            path = directory / name
            if path.exists() and (name in own or path.read_text("utf-8") == text):
                done.kept.append(path)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            done.written.append(path)
    except OSError as error:
        raise ConfigError(f"cannot write the schemas into {directory}: {error}") from error
    return done


def _go_module(directory: Path) -> str:
    try:
        found = _MODULE.search((directory / "go.mod").read_text("utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""

"""Checks that no layer of the house looks up.

The layers are listed here once, lowest first.  A module may import from its own layer's
line and from those above it in this list, never from a later one.  Python imports are read
with `ast`, Rust paths (`crate::name`) with a regular expression, so nothing is run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lowest first.  Names on one line may use each other only where STYLE allows it: the same package.
PYTHON_LAYERS = [
    ["ovsflow.errors"],
    ["ovsflow.datapath"],
    ["ovsflow.openflow"],
    ["ofctl"],
    ["ovsflow.config"],
    ["ovsflow.routes"],
    ["ovsflow.switch"],
    ["ovsflow.controller"],
    ["ovsflow"],
    ["ovsflow.testing", "ovsflow.mininet", "ovsflow.cli"],
    ["ovsflow.__main__"],
]

RUST_LAYERS = [
    "error",
    "time",
    "packet",
    "flow",
    "openflow",
    "action",
    "table",
    "translate",
    "cache",
    "execute",
    "port",
    "worker",
    "datapath",
]

# `ofctl` stands alone: of ovsflow it uses the OpenFlow package and the errors.
OFCTL_MAY_USE = ("ovsflow.openflow", "ovsflow.errors")

# The datapath extension has exactly one door.
DOOR = "ovsflow/datapath/__init__.py"


def python_layer(module: str) -> tuple[int, str] | None:
    """Returns the layer number and name of the longest listed prefix of `module`."""
    best: tuple[int, str] | None = None
    for number, names in enumerate(PYTHON_LAYERS):
        for name in names:
            inside = module == name or (name != "ovsflow" and module.startswith(name + "."))
            if inside and (best is None or len(name) > len(best[1])):
                best = (number, name)
    return best


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and dotted name of every absolute import in a file."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def check_python() -> Iterator[str]:
    """Yields a line for every Python import that looks up, or past the door."""
    for top in ("ovsflow", "ofctl"):
        for path in sorted((ROOT / top).rglob("*.py")):
            relative = path.relative_to(ROOT)
            module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            own = python_layer(module)
            if own is None:
                yield f"{relative}: module {module} stands in no layer; list it"
                continue
            for line, name in imports(path):
                if not name.startswith(("ovsflow", "ofctl")):
                    continue
                where = f"{relative}:{line}"
                if name.startswith("ovsflow.datapath._native") and str(relative) != DOOR:
                    yield f"{where}: only {DOOR} may import the extension"
                theirs = python_layer(name)
                if theirs is not None and theirs[0] > own[0]:
                    yield f"{where}: {own[1]} looks up to {theirs[1]}"
                allowed = name == "ovsflow" or name.startswith(("ofctl", *OFCTL_MAY_USE))
                if top == "ofctl" and not allowed:
                    yield f"{where}: ofctl uses only {' and '.join(OFCTL_MAY_USE)}"


def check_rust() -> Iterator[str]:
    """Yields a line for every Rust path that looks up, and for pyo3 outside the binding."""
    source = ROOT / "ovsflow/datapath/core/src"
    for path in sorted(source.rglob("*.rs")):
        relative = path.relative_to(source)
        own = relative.parts[0].removesuffix(".rs")
        if own == "lib" or "tests" in path.stem:
            continue
        if own not in RUST_LAYERS:
            yield f"{relative}: module {own} stands in no layer; list it"
            continue
        text = path.read_text().split("#[cfg(test)]\nmod tests {")[0]
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("//"):
                continue
            for name in re.findall(r"\bcrate::(\w+)", line):
                if name in RUST_LAYERS and RUST_LAYERS.index(name) > RUST_LAYERS.index(own):
                    yield f"{relative}:{number}: {own} looks up to {name}"
            if "pyo3" in line:
                yield f"{relative}:{number}: the core does not know Python"


def main() -> int:
    """Prints every breach; returns 1 if there is one."""
    breaches = [*check_python(), *check_rust()]
    for breach in breaches:
        print(breach, file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

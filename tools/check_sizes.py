"""Checks that files and functions keep to the sizes that a reader can hold in mind."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lines without the inline test module.
FILE_LIMIT = 600
FUNCTION_LIMIT = 60

# Tables of rows, one a field or a message: long because the world is, not because the code is.
TABLES: frozenset[str] = frozenset(
    {
        "ovsflow/datapath/core/src/flow/field.rs",
        "ovsflow/openflow/constants.py",
    }
)


def sources() -> Iterator[Path]:
    """Yields the product's source files, without tests."""
    for top in ("ovsflow", "ofctl", "tools"):
        for suffix in ("*.py", "*.rs"):
            for path in sorted((ROOT / top).rglob(suffix)):
                if "tests" not in path.stem and "/tests/" not in str(path):
                    yield path


def code_lines(text: str) -> int:
    """Counts lines up to an inline Rust test module."""
    return len(re.split(r"#\[cfg\(test\)\]\s*mod tests \{", text)[0].splitlines())


def long_functions(path: Path, text: str) -> Iterator[tuple[int, str, int]]:
    """Yields line, name and length of each function over the limit."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                length = node.end_lineno - node.body[0].lineno + 1
                if length > FUNCTION_LIMIT:
                    yield node.lineno, node.name, length
        return
    start: tuple[int, str, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"^(\s*)(?:pub(?:\([^)]*\))?\s+)?(?:const\s+)?fn\s+(\w+)", line)
        if found and not line.rstrip().endswith(";"):
            start = (number, found[2], len(found[1]))
        elif start and line.rstrip() == " " * start[2] + "}":
            if number - start[0] + 1 > FUNCTION_LIMIT:
                yield start[0], start[1], number - start[0] + 1
            start = None


def main() -> int:
    """Prints every file or function over its limit; returns 1 if there is one."""
    bad = []
    for path in sources():
        relative, text = path.relative_to(ROOT), path.read_text()
        if str(relative) not in TABLES and (lines := code_lines(text)) > FILE_LIMIT:
            bad.append(f"{relative}: {lines} lines, the limit is {FILE_LIMIT}")
        text = re.split(r"#\[cfg\(test\)\]\s*mod tests \{", text)[0]
        for line, name, length in long_functions(path, text):
            # Numbered steps of the per-packet path may be long: they say so above themselves.
            above = text.splitlines()[max(0, line - 12) : line - 1]
            if not any("numbered steps" in entry for entry in above):
                bad.append(f"{relative}:{line}: {name} has {length} lines, limit {FUNCTION_LIMIT}")
    for entry in bad:
        print(entry, file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The benchmark's part of the README: the table, the pictures, what was missed, and where it ran.

All of it comes from a report; between two marks in the README it replaces what was there.
"""

from collections.abc import Iterable
from pathlib import Path

from ovsflow.errors import OvsflowError
from tools.benchmarks.report import Report, Row, rows
from tools.benchmarks.targets import TITLES

BEGIN = "<!-- Made by tools/bench --publish; changes here are lost. -->"
END = "<!-- Made by tools/bench: end. -->"
PICTURES = (
    "![Ratios beside their marks](docs/bench/marks.svg)",
    "![Speed as flows grow](docs/bench/flows.svg)",
)


def markdown(report: Report) -> str:
    """The whole part."""
    table = rows(report)
    lines = [
        "| scenario | | ovsflow | peer | ratio | quartiles | pairs | gate and goal |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_line(row) for row in table),
        "",
        *PICTURES,
        "",
        *_verdicts(table),
        "",
        *_runs(report),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    cells = list(row.cells())
    for word in ("missed", "void"):
        cells[-1] = cells[-1].replace(word, f"**{word}**")
    return f"| {' | '.join([f'`{cells[0]}`', TITLES.get(row.scenario, ''), *cells[1:]])} |"


def _verdicts(table: Iterable[Row]) -> list[str]:
    """What was missed, in words."""
    missed, void = [], []
    for row in table:
        name = f"`{row.scenario}`" + (f" against {row.against}" if row.against else "")
        if row.verdict.startswith("void"):
            void.append(f"{name} ({row.verdict.removeprefix('void: ')})")
        elif "missed" in row.verdict:
            figure = row.ratio or row.ours
            missed.append(f"{name}: {figure}")
    lines = [f"Gates missed: {'; '.join(missed)}." if missed else "No gate was missed."]
    if void:
        lines.append(f"Without a valid figure: {'; '.join(void)}.")
    return lines


def _runs(report: Report) -> list[str]:
    """Machine, date and settings of each run that has pairs."""
    used = {pair.run for one in report.comparisons for pair in one.pairs}
    lines = []
    for number in sorted(used):
        run = report.runs[number]
        machine, settings = run["machine"], run["settings"]
        text = (
            f"Measured on {run['date']}: {machine['processor']}, {machine['cores']} cores, "
            f"Linux {machine['kernel']}, Python {machine['python']}"
        )
        if peers := machine.get("peers"):
            text += f", {peers}"
        told = f"{settings['pairs']} pairs of rounds of {settings['seconds']} s"
        line = f"{text}; one worker for each switch; {told}."
        if line not in lines:
            lines.append(line)
    return lines


def into_readme(report: Report, path: Path) -> None:
    """Replaces what is between the marks.

    Raises:
        OvsflowError: The file has no marks.
    """
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise OvsflowError(f"{path} has no lines '{BEGIN}' and '{END}'")
    path.write_text(f"{before}{BEGIN}\n{markdown(report)}{END}{after}")

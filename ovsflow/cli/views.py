"""How answers look on a terminal.  `--json` prints the same values as they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ovsflow.config.port import LOCAL_PORT

# What a switch answers is JSON; each view knows the shape of its own answer.
Answer = Any


#: Columns that are not numbers, among those that begin with a small letter.
_TEXTS = ("name", "what", "reason")


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = column[:1].islower() and column not in _TEXTS
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    return table


def show(console: Console, answer: Answer) -> None:
    """What a switch is and whom it speaks with."""
    standalone = ", learning switch now" if answer["standalone"] else ""
    console.print(f"[bold]{answer['name']}[/bold]  dpid {answer['dpid']}  pid {answer['pid']}")
    console.print(f"fail mode {answer['fail_mode']}{standalone}, {answer['workers']} worker(s)")
    console.print(f"speaks {', '.join(answer['protocols'])}")
    for target in answer["listen"]:
        console.print(f"listens on {target}", highlight=False)
    ports(console, answer["ports"])
    if answer["controllers"]:
        rows = [
            (each["target"], _state(each), each["version"], each["role"], each["last_error"])
            for each in answer["controllers"]
        ]
        titles = ("controller", "state", "version", "role", "last error")
        console.print(_table("", titles, rows))
    others = [each for each in answer["sessions"] if each["service"]]
    if others:
        peers = [(each["peer"], each["version"], each["role"]) for each in others]
        console.print(_table("", ("peer", "version", "role"), peers))


def _state(controller: Mapping[str, Any]) -> str:
    if controller["connected"]:
        return f"connected for {controller['seconds']:.0f} s"
    return f"{controller['state']} for {controller['seconds']:.0f} s"


def ports(console: Console, answer: Answer) -> None:
    """The ports."""
    rows = []
    for port in answer:
        options = ",".join(f"{key}={value}" for key, value in port["options"].items())
        kind = f"{port['kind']} {options}".strip()
        state = "down" if not port["up"] else "up" if port["link"] else "no link"
        number = "LOCAL" if port["number"] == LOCAL_PORT else port["number"]
        rows.append((number, port["name"], kind, state, port["hw_addr"], port["backend"]))
    console.print(_table("", ("port", "name", "kind", "state", "address", "how"), rows))


def switches(console: Console, answer: Answer) -> None:
    """The switches that run here."""
    rows = [
        (
            each["name"],
            each["dpid"],
            each["pid"],
            len(each["ports"]),
            f"{sum(c['connected'] for c in each['controllers'])} of {len(each['controllers'])}",
        )
        for each in answer
    ]
    console.print(_table("", ("Switch", "Dpid", "pid", "ports", "controllers"), rows))


def stats(console: Console, answer: Answer) -> None:
    """Counters of ports, caches, tables and drops."""
    columns = ("packets", "bytes", "dropped", "errors")
    titles = ["port", "name", *(f"{way} {c}" for way in ("rx", "tx") for c in columns)]
    rows = [
        ["LOCAL" if port["number"] == LOCAL_PORT else port["number"], port["name"]]
        + [port[f"{way}_{c}"] for way in ("rx", "tx") for c in columns]
        for port in answer["ports"]
    ]
    console.print(_table("", titles, rows))
    for title, key in (("Cache", "cache"), ("Controller", "controller")):
        console.print(_table(title, ("what", "number"), _pairs(answer.get(key, {}))))
    heard = [(each["peer"], each["passed"], each["limited"]) for each in answer["packet_ins"]]
    if heard:
        console.print(_table("Packet-ins", ("Peer", "passed", "limited"), heard))
    tables = [each for each in answer.get("tables", []) if isinstance(each, dict)]
    if tables:
        names = tuple(tables[0])
        console.print(_table("Tables", names, ([t.get(n) for n in names] for t in tables)))
    drops = {reason: count for reason, count in answer["drops"].items() if count}
    if drops:
        console.print(_table("Drops", ("reason", "packets"), _pairs(drops)))
    else:
        console.print("no packet was dropped")


def stages(console: Console, answer: Answer) -> None:
    """Nanoseconds of each stage for each packet, of each worker."""
    names = [name for name in answer[0] if name.endswith("_ns")] if answer else []
    rows = []
    for number, worker in enumerate(answer):
        packets = worker["packets"]
        each = [worker[name] / packets if packets else 0.0 for name in names]
        rows.append([number, packets, *(f"{ns:.1f}" for ns in each), f"{sum(each):.1f}"])
    titles = ("worker", "packets", *(name.removesuffix("_ns") for name in names), "sum")
    console.print(_table("Nanoseconds per packet", titles, rows))


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, object]]:
    return [(key.replace("_", " "), value) for key, value in values.items()]


def macs(console: Console, answer: Answer) -> None:
    """Learned addresses."""
    rows = [(each["port"], each["vlan"], each["mac"], each["age"]) for each in answer]
    console.print(_table("", ("port", "vlan", "Address", "age"), rows))


def trace(console: Console, answer: Answer) -> None:
    """A packet's walk through the tables."""
    for line in answer.get("text", []):
        title, mark, rest = line.partition(": ")
        if mark and title in _TITLES:
            console.print(f"[bold]{title}:[/bold] {_escaped(rest)}", highlight=False)
        else:
            console.print(_escaped(line), highlight=False)


_TITLES = ("Packet", "Megaflow", "Datapath actions", "Leaves", "Its hash picks", "Lost", "Dropped")


def _escaped(text: str) -> str:
    """Text in which rich sees no markup."""
    return text.replace("[", "\\[")

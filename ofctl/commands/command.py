"""What a command is: a function, how many arguments it takes, and how to explain it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ofctl.session import Session
from ofctl.settings import Settings

Run = Callable[[Settings, Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: As it is typed.
        usage: Its arguments, for people.
        summary: What it does, in one line.
        run: Does it; returns the exit status.
        least: Fewest arguments.
        most: Most arguments; `None` for no limit.
        examples: Lines that can be typed.
        group: Heading in the list of commands.
    """

    name: str
    usage: str
    summary: str
    run: Run
    least: int
    most: int | None
    examples: tuple[str, ...] = ()
    group: str = ""


def with_session(act: Callable[[Session, Sequence[str]], int | None]) -> Run:
    """A command that talks to the switch named by its first argument."""

    def run(settings: Settings, arguments: Sequence[str]) -> int:
        session = Session(arguments[0], settings)
        try:
            return act(session, arguments[1:]) or 0
        finally:
            session.close()

    return run

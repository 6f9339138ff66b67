"""Colour for terminals, in the classes of words that `ovs-ofctl` colours.

Owns `Paint`; `PLAIN` leaves text alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paint:
    """How words are coloured: each attribute is an SGR code, empty for none."""

    actions_code: str = ""
    drop_code: str = ""
    learn_code: str = ""
    param_code: str = ""
    paren_code: str = ""
    special_code: str = ""
    value_code: str = ""

    def actions(self, text: str) -> str:
        """`actions=`."""
        return _run(self.actions_code, text)

    def drop(self, text: str) -> str:
        """`drop`."""
        return _run(self.drop_code, text)

    def learn(self, text: str) -> str:
        """`learn(` and its end."""
        return _run(self.learn_code, text)

    def param(self, text: str) -> str:
        """Names of fields and arguments."""
        return _run(self.param_code, text)

    def paren(self, text: str) -> str:
        """Actions with parentheses."""
        return _run(self.paren_code, text)

    def special(self, text: str) -> str:
        """Tables, priorities, outputs."""
        return _run(self.special_code, text)

    def value(self, text: str) -> str:
        """Words that stand alone."""
        return _run(self.value_code, text)


def _run(code: str, text: str) -> str:
    return f"\33[{code}m\33[K{text}\33[m\33[K" if code and text else text


PLAIN = Paint()

COLOURED = Paint(
    actions_code="1;31",
    drop_code="34",
    learn_code="31",
    param_code="36",
    paren_code="35",
    special_code="33",
    value_code="32",
)
"""The colours that `ovs-ofctl` uses."""

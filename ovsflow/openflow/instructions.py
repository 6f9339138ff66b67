"""What a flow does with its packets, in the fixed order of execution.

Owns `Instructions`, which has a place for each instruction because each stands at most once
(OpenFlow 1.3.5 §5.9).  OpenFlow 1.0's action list is `apply`.
"""

from dataclasses import dataclass

from ovsflow.openflow.actions import Action


@dataclass(frozen=True, slots=True)
class Instructions:
    """The instructions of a flow.

    Attributes:
        meter: The meter instruction of OpenFlow 1.3 and 1.4.
        apply: Apply-actions.
        clear: Clear-actions.
        write: Write-actions, in the order given.
        metadata: Write-metadata: value and mask.
        goto: Goto-table.
        stat_trigger: The stat-trigger instruction of OpenFlow 1.5, in its wire form.
    """

    meter: int | None = None
    apply: tuple[Action, ...] = ()
    clear: bool = False
    write: tuple[Action, ...] = ()
    metadata: tuple[int, int] | None = None
    goto: int | None = None
    stat_trigger: bytes | None = None


NO_INSTRUCTIONS = Instructions()
"""A flow that drops."""

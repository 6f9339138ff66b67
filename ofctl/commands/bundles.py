"""Bundles: several changes that the switch makes all together or not at all."""

from collections.abc import Sequence

from ofctl.connection import SwitchRefusedError
from ofctl.errors import CommandError, refused_sentence
from ofctl.session import Session
from ovsflow.openflow import codec
from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.constants import BundleControlType, BundleFlag, Version
from ovsflow.openflow.wire import Body

_ATOMIC = BundleFlag.ATOMIC | BundleFlag.ORDERED
_BUNDLE = 0


def apply_together(session: Session, bodies: Sequence[Body]) -> None:
    """Puts changes in one atomic, ordered bundle and commits it.

    Each message of the bundle and the bundle itself count: the first error ends the command, and
    then nothing has changed.
    """
    session.needs(Version.OF13, "bundle")
    connection = session.connection
    _control(session, BundleControlType.OPEN_REQUEST)
    sent: dict[int, Body] = {}
    additions = []
    for body in bodies:
        # The message inside has the transaction id of the message around it.
        xid = connection.reserve_xid()
        sent[xid] = body
        message = codec.encode(body, session.version, xid)
        add = BundleAdd(_BUNDLE, int(_ATOMIC), message)
        additions.append(codec.encode(add, session.version, xid))
    connection.write(b"".join(additions))
    commit = BundleControl(_BUNDLE, BundleControlType.COMMIT_REQUEST, int(_ATOMIC))
    errors = connection.settle_request(commit, sent)
    if errors:
        raise CommandError("\n".join(_sentence(session, error) for error in errors))


def _control(session: Session, kind: BundleControlType) -> None:
    try:
        session.connection.request(BundleControl(_BUNDLE, kind, int(_ATOMIC)))
    except SwitchRefusedError as error:
        raise CommandError(refused_sentence(session.target, error)) from None


def _sentence(session: Session, error: SwitchRefusedError) -> str:
    if isinstance(error.request, BundleControl):
        return f"{refused_sentence(session.target, error)}: nothing has changed"
    return refused_sentence(session.target, error)

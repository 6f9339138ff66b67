"""The exception family.

`OvsflowError` is the root.  What a person got wrong, a peer got wrong and the host got wrong are
three branches, because they are answered differently: a sentence, an OpenFlow error, and an
exit with advice.
"""


class OvsflowError(Exception):
    """The root of all errors that ovsflow raises on purpose."""


class UsageError(OvsflowError):
    """A person gave something that cannot be understood; the text says what and where."""


class ParseError(UsageError):
    """Text that is not the flow language.

    Attributes:
        text: What was parsed.
        column: Where it went wrong, counted from 0; `None` when it is the whole.
    """

    def __init__(self, message: str, text: str = "", column: int | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.column = column


class ConfigError(UsageError):
    """A configuration that cannot be used; the text names the key."""


class DecodeError(OvsflowError):
    """Bytes from a peer that are not valid OpenFlow.

    Attributes:
        kind: OFPET_* of OpenFlow 1.3 to answer with.
        code: The code within `kind`.
        experimenter: Experimenter id for experimenter errors, else 0.
    """

    def __init__(self, message: str, kind: int, code: int, experimenter: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.experimenter = experimenter


class RefusedError(OvsflowError):
    """A switch answered a request with OFPT_ERROR; the text names the error.

    Attributes:
        kind: OFPET_*, in the numbers of the session's version.
        code: The code within `kind`.
        experimenter: Experimenter id for experimenter errors, else 0.
    """

    def __init__(self, message: str, kind: int, code: int, experimenter: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.experimenter = experimenter


class EncodeError(OvsflowError):
    """Something that a version of OpenFlow cannot express; the text says what."""


class HostError(OvsflowError):
    """The host refused something; the text says what and, where possible, what to do."""

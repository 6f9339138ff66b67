"""`ofctl` and `python -m ofctl`: runs one command and turns what goes wrong into a sentence."""

import os
import sys
from collections.abc import Sequence

from ofctl.cli import parse_arguments
from ofctl.connection import SwitchRefusedError
from ofctl.errors import CommandError, parse_sentence, refused_sentence
from ovsflow.errors import OvsflowError, ParseError


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    command, arguments, settings = parse_arguments(sys.argv[1:] if words is None else words)
    try:
        status = command.run(settings, arguments)
        sys.stdout.flush()
        return status
    except CommandError as error:
        return _fail(str(error), error.status)
    except SwitchRefusedError as error:
        return _fail(refused_sentence(arguments[0] if arguments else "switch", error))
    except ParseError as error:
        return _fail(parse_sentence(error))
    except OvsflowError as error:
        return _fail(str(error))
    except TimeoutError:
        return _fail("timed out")
    except BrokenPipeError:
        # The reader of our output is gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _fail(sentence: str, status: int = 1) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"ofctl: {sentence}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

"""The command: it runs a verb and exits with its code.

Exit codes: 0 done; 1 the run failed (a broker, a disk, a test); 2 the job or the command is wrong;
130 interrupted (Ctrl-C); 143 terminated (SIGTERM).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any

from cyclopts import CycloptsError

from tocsin.cli.console import DONE, FAILED, INTERRUPTED, TERMINATED, WRONG, complain
from tocsin.cli.verbs import command_line
from tocsin.compiler.diagnostics import JobError
from tocsin.foundation.beam_records import drop_beam_records
from tocsin.foundation.failure import Failure, Mistake, UnknownPart, sentence_in


class _Terminated(BaseException):
    """SIGTERM: an orchestrator ends the command."""


def _terminate(*_: Any) -> None:
    raise _Terminated


def main(arguments: list[str] | None = None) -> None:
    """Run a verb and exit with its code.

    A user's mistake or a failure outside of Tocsin is one sentence, never a traceback.
    """
    drop_beam_records()
    try:
        with suppress(ValueError):  # a thread that is not the main one
            signal.signal(signal.SIGTERM, _terminate)
        given = sys.argv[1:] if arguments is None else arguments
        app = command_line(with_summaries=given[:1] in ([], ["-h"], ["--help"]))
        code = app(given, result_action="return_value", exit_on_error=False)
    except CycloptsError:
        # It has printed what is wrong with the arguments.
        code = WRONG
    except JobError as error:
        for problem in error.problems:
            complain(str(problem), plain=True)
        code = WRONG
    except Failure as failure:
        complain(failure.sentence)
        code = WRONG if isinstance(failure, Mistake) else FAILED
    except UnknownPart as error:
        complain(str(error))
        code = WRONG
    except FileNotFoundError as error:
        complain(f"no file '{error.filename}'")
        code = WRONG
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        complain(f"cannot read '{error.filename}': {error.strerror}")
        code = WRONG
    except UnicodeDecodeError:
        complain("the file is not text in UTF-8")
        code = WRONG
    except (KeyboardInterrupt, _Terminated) as end:
        is_terminated = isinstance(end, _Terminated)
        how = "terminated" if is_terminated else "interrupted"
        complain(f"{how}; all written files are complete, and a new run writes the same files")
        sys.stdout.flush()
        sys.stderr.flush()
        # The runner's threads would wait for the end of the input.
        os._exit(TERMINATED if is_terminated else INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        os._exit(DONE)
    except Exception as error:
        sentence = sentence_in(str(error))
        if sentence is None or os.environ.get("TOCSIN_TRACEBACK"):
            raise
        complain(sentence)
        code = FAILED
    sys.exit(code if isinstance(code, int) else DONE)

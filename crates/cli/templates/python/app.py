"""Says what is in a text."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import JobError_InvalidInput


class Job(exports.Job):
    """The job: a text in, one line of JSON out."""

    def run(self, input: bytes) -> bytes:
        try:
            text = input.decode()
        except UnicodeDecodeError as error:
            raise Err(JobError_InvalidInput(str(error)))
        line = json.dumps(summarize(text), separators=(",", ":"))
        return f"{line}\n".encode()


def summarize(text: str) -> dict:
    words = text.split()
    if not words:
        raise Err(JobError_InvalidInput("there is no word in it"))
    return {
        "lines": len(text.splitlines()),
        "words": len(words),
        "longest": max(words, key=len),
    }

"""The ten most frequent words of a text."""

import re
from collections import Counter

from wit_world import exports


class Job(exports.Job):
    def run(self, input: bytes) -> bytes:
        counts = Counter(re.findall(rb"[a-z]+", input.lower()))
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return b"".join(b"%d %s\n" % (count, word) for word, count in ranked[:10])

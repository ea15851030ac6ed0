"""`python -m penstock.cli.bench [GROUP ...]`: the rows as JSON lines, without the command's extras.

Without groups, those of the hot path.
"""

import sys

from penstock._codec import encode
from penstock.cli.bench import measure, names

for result in measure(sys.argv[1:] or names("hot")):
    sys.stdout.buffer.write(encode(result.as_record()) + b"\n")
    sys.stdout.flush()

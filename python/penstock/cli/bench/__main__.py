"""`python -m penstock.cli.bench [GROUP ...]`: the rows as JSON lines, without the command's extras."""

import sys

from penstock._codec import encode
from penstock.cli.bench import measure

for result in measure(sys.argv[1:]):
    sys.stdout.buffer.write(encode(result.as_record()) + b"\n")
    sys.stdout.flush()

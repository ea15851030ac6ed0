"""One file a rival: the same work for a limiter, done by other libraries or in plain Python."""

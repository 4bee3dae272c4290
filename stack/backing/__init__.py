"""One page per real server: where its program is, how it is configured, started, asked whether it is ready, settled."""

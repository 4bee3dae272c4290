"""One module per server: where its program is, how it is configured, started, checked and initialised."""

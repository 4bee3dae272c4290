"""Sign-up and login: identity as a token that the gateway verifies."""

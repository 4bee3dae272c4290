"""Sign-up and login: who somebody is, told by a token that the gateway verifies."""

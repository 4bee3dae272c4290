"""What a new account must be, and how often a password may be guessed."""

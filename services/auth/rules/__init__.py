"""Rules for new accounts, and limits on guessing passwords."""

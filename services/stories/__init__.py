"""Photos that are gone after 24 hours, and the tray that shows them."""

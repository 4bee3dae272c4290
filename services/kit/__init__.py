"""The chassis of every service; it contains no service and no decision about people or photos."""

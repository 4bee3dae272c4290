"""The chassis that every service stands on; it holds no service and decides nothing about people or photos."""

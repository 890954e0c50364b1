"""Counts in sentences."""


def counted(number: int, noun: str) -> str:
    """'1 ticket', '2 tickets'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""What is said about a table."""

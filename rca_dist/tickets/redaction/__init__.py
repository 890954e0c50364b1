"""Rules for personal data and secrets, by kind."""

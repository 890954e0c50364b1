"""Rules for cells: markup, mail, journals, stock phrases."""

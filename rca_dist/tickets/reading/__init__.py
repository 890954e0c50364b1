"""Files of any form to one table of text columns."""

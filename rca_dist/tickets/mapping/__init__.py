"""Which column plays which role: names, kinds of content, dates."""

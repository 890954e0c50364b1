"""Find and remove a ticket or a person's data in caches and run directories, and name the models that learnt from it."""


def purge(argv: list[str]) -> str:
    """Run `rca-dist clean --ticket ID | --text PATTERN ...` and return what it says (see `purge.command`)."""
    from rca_dist.purge.command import purge as run

    return run(argv)


__all__ = ["purge"]

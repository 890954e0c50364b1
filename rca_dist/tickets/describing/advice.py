"""What a user can do about rows that were left out: one short sentence per reason."""

_ADVICE = (
    ("empty answer", "export resolved tickets with their resolution text, or name another column (--data.columns.answer=NAME)"),
    ("empty prompt", "name the columns with the ticket's text (--data.columns.prompt=NAME[,NAME])"),
    ("boilerplate answer", "such as 'Done.': they teach nothing"),
    ("answer under", "--data.min_answer_words=1 keeps them"),
    ("duplicate id", "the newest row of each id is kept"),
    ("exact duplicate row", "each is kept once"),
    ("no date", "use --split.kind=group to keep them, or name the date column (--data.columns.created_at=NAME)"),
    ("cancelled", "they were never solved"),
    ("duplicate of", "they were closed as duplicates, so the solution stands in another ticket"),
    ("only points", "the solution stands in the ticket they point at"),
    ("open", "export them again when they are resolved, or keep them with --data.keep_open=true"),
    ("without an accepted answer", "nobody marked an answer as the solution"),
)


def advice_for(reason: str) -> str:
    """The sentence for a reason as it stands in `facts["rows"]["dropped"]`; empty for one that needs none."""
    folded = reason.casefold()
    return next((advice for start, advice in _ADVICE if start in folded), "")

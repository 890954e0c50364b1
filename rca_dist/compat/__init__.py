"""The classes as users of the one-GPU predecessor `rca_llm` call them, on top of the real ones.

Each public class takes the old arguments or the new ones. The old ones are translated, so that steps, losses and scores are
those of the real classes; where the old form would give wrong numbers, a `UserError` says what to write instead.
What differs from the predecessor's numbers, and why, stands in `docs/from_rca_llm.md`.
"""

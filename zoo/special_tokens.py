"""The three tokens at the start of every vocabulary, with their ids."""

# an unknown token; the start of a sentence; the end of a sentence
UNKNOWN_ID, START_ID, END_ID = SPECIAL_IDS = (0, 1, 2)
UNKNOWN, START, END = SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")

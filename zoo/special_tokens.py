"""The three tokens that every vocabulary starts with: their ids and how they are written."""

# anything unknown; what stands before a sentence; what stands after it
UNKNOWN_ID, START_ID, END_ID = SPECIAL_IDS = (0, 1, 2)
UNKNOWN, START, END = SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")

"""A mapping as its user writes it: the model, the file, the rules over names, and the tables that it becomes.

Not here: what its SQL may be (`sql`), what its types become (`types`), what a warehouse makes of it (`checks`).
"""

"""Training and judging a listener: corpora to embeddings, embeddings to heads, heads to an honest report card."""

"""Reviews as pages: one layout of blocks, written as Markdown, HTML or for a terminal."""

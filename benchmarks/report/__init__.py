"""What is made of the figures: a file of all of them, tables, charts, and a page."""

"""The pages, one module for each. ``page`` draws one, and returns the name of the page to go to, or None."""

"""The pages, one module each. ``draw_page`` draws one, and returns the name of the page to switch to, or None."""

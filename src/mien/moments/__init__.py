"""What moments become over time: steadied shares, events, a summary for each person, a page."""

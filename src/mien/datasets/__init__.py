"""Data sets of labelled faces: FER2013, FER+, folders, arrays; splits, checks, reports and synthetic faces."""

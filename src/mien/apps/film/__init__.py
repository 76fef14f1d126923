"""What every window does with a film: read it so that it can go on later, paint it, hide faces, gather a report.

Nothing here prints; the command line, the web and the desktop each say in their own way how far it is.
"""

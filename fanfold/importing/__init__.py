"""Groups from elsewhere into one folder that the core runs: a document, the code, a report."""

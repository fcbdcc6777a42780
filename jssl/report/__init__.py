"""Reports: one HTML file about a run, about several runs, or about the ledger, which needs no network and no other file."""

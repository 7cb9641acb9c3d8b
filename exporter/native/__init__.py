"""Model servers' own metrics: what each names them, how a page is read, what it shows."""

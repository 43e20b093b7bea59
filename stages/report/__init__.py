"""The stage that writes the page, its tables and figures."""

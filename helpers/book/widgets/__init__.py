"""Parts of a page that answer the reader: our own markup and script, nothing from the network."""

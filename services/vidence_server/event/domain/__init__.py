"""What the bus knows of events: their headers, filters, pages and numbers. Talks to nothing."""
